'use strict';
// kinvey-node-sdk 3.12.5 as the scripts beside this file use it. It logs in by the
// temporary login URI. A login page it has nothing to open with, and the package
// lets nobody supply it: an app opens the page itself, and gives the SDK the tokens.

const { sdk } = require('../harness');
const life = require('../life/lifecycle');
const { Browser } = require('./browser');
const { form, redirect } = require('./service');

const { assert, kid, url } = life;

const temporaryURI = {
  name: 'temporary URI',
  redirect,
  option: 'allowTemporaryUri',
  denied: ['InsufficientCredentialsError', /Wrong username or password/],
  unknown: ['KinveyError', /no such app or auth service/],
  badSecret: ['InsufficientCredentialsError', /Client authentication failed/],
  badRedirect: ['KinveyError', /none that is registered/],
  badRequest: ['KinveyError', /code_challenge/],
  closed: ['KinveyError', /does not allow that way/],
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
    const { status, body } = await form('/oauth/token', { grant_type: 'authorization_code', client_id: id, redirect_uri: redirect, code: new URL(browser.url).searchParams.get('code') });
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

const client = { program, errorName: error => error.name, told: (p, error) => `${error.message} ${error.debug}` };

module.exports = { client, ownPage, temporaryURI };
