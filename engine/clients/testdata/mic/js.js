'use strict';
// kinvey-js-sdk 7 with the users of the development server.

const life = require('../life/lifecycle');
const platform = require('../life/platform');
const { client, loginPage, passwordGrant } = require('./client-js');
const { logins } = require('./logins');

const { assert, check, fails, run } = life;

run(async () => {
  await logins(client, loginPage);
  await check('login page: a wrong password is said in plain words, and the next one is taken', async () => {
    const p = client.program();
    const { browser } = p.person;
    assert.equal(browser, undefined);
    await p.login(loginPage, 'alice', ['wrong', 'alice']);
    assert.equal((await p.active()).username, 'alice');
    assert.equal(p.person.browser.status, 401);
    assert.match(p.person.browser.page, /Wrong username or password/);
    assert.match(p.person.browser.page, /value="alice"/);
    assert.equal(p.person.window.closed, true);
  });
  await check('login page: a window that is closed is a login that was cancelled', async () => {
    const p = client.program();
    const error = await fails(client, p.login(loginPage, 'alice', []), 'KinveyError');
    assert.match(error.message, /cancelled/);
    assert.deepEqual(p.person.browser.fields(), ['username', 'password']);
    await p.login(loginPage, 'alice', ['alice']);
  });
  await logins(client, passwordGrant);
  await check('all requests went to the hosts that the SDK makes', async () =>
    assert.deepEqual([...platform.hosts].sort(), ['auth', 'baas'].map(name => `${platform.instanceId}-${name}.kinvey.com`)));
  platform.close();
});
