'use strict';
// kinvey-node-sdk 3.12.5 with the users of the development server.

const life = require('../life/lifecycle');
const platform = require('../life/platform');
const { client, ownPage, temporaryURI } = require('./client-node');
const { logins } = require('./logins');
const { redirect } = require('./service');

const { assert, check, fails, run } = life;

run(async () => {
  await logins(client, temporaryURI);
  await check('the SDK has no window for a login page', async () => {
    const { kinvey, active } = client.program();
    await fails(client, kinvey.User.loginWithMIC(redirect, kinvey.AuthorizationGrant.AuthorizationCodeLoginPage), 'PopupError');
    assert.equal(await active(), null);
  });
  await logins(client, ownPage);
  platform.close();
});
