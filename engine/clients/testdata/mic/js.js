'use strict';
// kinvey-js-sdk 7. It logs in by the login page, in a window that the platform
// opens, and by the password grant.

const { EventEmitter } = require('node:events');
const life = require('../life/lifecycle');
const platform = require('../life/platform');
const { Browser } = require('./browser');
const { logins, redirect } = require('./logins');

const { assert, check, fails, run } = life;

// A Window is what the platform opens for a login page, with a person before it:
// he logs in, or closes it if he can not.
class Window extends EventEmitter {
  constructor(url, person) {
    super();
    this.onLoaded = listener => this.on('loaded', listener);
    this.onClosed = listener => this.on('closed', listener);
    this.close = async () => { this.closed = true; };
    const browser = new Browser(person.redirect);
    Object.assign(person, { browser, window: this });
    // The SDK begins to listen when it has been given the window.
    setImmediate(async () => {
      try {
        await browser.logIn(url, person.name, person.passwords);
        browser.seen.forEach(at => this.emit('loaded', { url: at }));
      } catch (error) {
        person.trouble = error;
      }
      this.emit('closed');
    });
  }
}

const loginPage = {
  name: 'login page',
  redirect,
  // The person gives up: what is wrong the page has told him, not the app.
  denied: ['KinveyError'],
  unknown: ['KinveyError'],
  badSecret: ['InsufficientCredentialsError'],
  badRedirect: ['KinveyError'],
  badRequest: ['KinveyError'],
  act: async ({ User }, person, name, passwords, { redirect: uri = redirect, ...options }) => {
    Object.assign(person, { name, passwords, redirect: uri });
    return User.loginWithMIC(uri, undefined, options);
  },
};

const passwordGrant = {
  name: 'password grant',
  option: 'allowPasswordGrant',
  denied: ['InsufficientCredentialsError'],
  unknown: ['InsufficientCredentialsError'],
  badSecret: ['InsufficientCredentialsError'],
  closed: ['KinveyError'],
  act: ({ User }, person, name, passwords, options) => User.loginWithMICUsingResourceOwnerCredentials(name, passwords[0], options),
};

function program(more) {
  const person = {};
  const kinvey = platform.load(more, { open: async url => new Window(url, person) });
  const { User, DataStore, DataStoreType } = kinvey;
  const data = user => (user ? user.data : null);
  const store = name => DataStore.collection(name, DataStoreType.Network);
  return {
    kinvey,
    person,
    plain: async (name, password) => data(await User.login(name, password)),
    login: async (way, name, passwords, options) => data(await way.act(kinvey, person, name, passwords, Object.assign({}, options))),
    active: async () => data(await User.getActiveUser()),
    logout: () => User.logout(),
    find: name => store(name).find().toPromise(),
    create: (name, entity) => store(name).create(entity),
  };
}

const client = { program, errorName: error => error.name };

run(async () => {
  await logins(client, loginPage);
  await check('login page: a wrong password is said in plain words, and the next one is taken', async () => {
    const p = program();
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
    const p = program();
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
