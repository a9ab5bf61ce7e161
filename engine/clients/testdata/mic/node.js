'use strict';
// kinvey-node-sdk 3.12.5. It logs in by the temporary login URI. A login page it
// has nothing to open with, and the package lets nobody supply it: an app opens
// the page itself, and gives the SDK the tokens.

const { sdk } = require('../harness');
const life = require('../life/lifecycle');
const platform = require('../life/platform');
const { Browser } = require('./browser');
const { logins, redirect } = require('./logins');
const service = require('./service');

const { assert, check, fails, kid, run, url } = life;

const temporaryURI = {
  name: 'temporary URI',
  redirect,
  option: 'allowTemporaryUri',
  denied: ['InsufficientCredentialsError'],
  unknown: ['KinveyError'],
  badSecret: ['InsufficientCredentialsError'],
  badRedirect: ['KinveyError'],
  badRequest: ['KinveyError'],
  closed: ['KinveyError'],
  act: ({ User, AuthorizationGrant }, name, passwords, { redirect: uri = redirect, ...options }) =>
    User.loginWithMIC(uri, AuthorizationGrant.AuthorizationCodeAPI, Object.assign({ username: name, password: passwords[0] }, options)),
};

const ownPage = {
  name: 'page of the app',
  redirect,
  act: async ({ User }, name, passwords, { version = '', micId }) => {
    const id = micId ? `${kid}.${micId}` : kid;
    const browser = new Browser(redirect);
    await browser.logIn(`${url}${version && `/v${version}`.replace('vv', 'v')}/oauth/auth?${new URLSearchParams({ client_id: id, redirect_uri: redirect, response_type: 'code' })}`, name, passwords);
    const { status, body } = await service.form('/oauth/token', { grant_type: 'authorization_code', client_id: id, redirect_uri: redirect, code: new URL(browser.url).searchParams.get('code') });
    assert.equal(status, 200, JSON.stringify(body));
    return User.connectIdentity('kinveyAuth', Object.assign({ identity: 'kinveyAuth', client_id: id, redirect_uri: redirect }, body));
  },
};

function program(more) {
  const kinvey = sdk(more);
  const { User, DataStore, DataStoreType } = kinvey;
  const data = user => user && user.data;
  const store = name => DataStore.collection(name, DataStoreType.Network);
  return {
    kinvey,
    plain: async (name, password) => data(await User.login(name, password)),
    login: async (way, name, passwords, options) => data(await way.act(kinvey, name, passwords, Object.assign({}, options))),
    active: async () => data(User.getActiveUser()),
    logout: () => User.logout(),
    find: name => store(name).find().toPromise(),
    create: (name, entity) => store(name).create(entity),
  };
}

const client = { program, errorName: error => error.name };

run(async () => {
  await logins(client, temporaryURI);
  await check('the SDK has no window for a login page', async () => {
    const { kinvey, active } = program();
    await fails(client, kinvey.User.loginWithMIC(redirect, kinvey.AuthorizationGrant.AuthorizationCodeLoginPage), 'PopupError');
    assert.equal(await active(), null);
  });
  await logins(client, ownPage);
  platform.close();
});
