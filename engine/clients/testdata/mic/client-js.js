'use strict';
// kinvey-js-sdk 7 as the scripts beside this file use it. It logs in by the login
// page, in a window that the platform opens, and by the password grant.

const { EventEmitter } = require('node:events');
const platform = require('../life/platform');
const { Browser } = require('./browser');
const { redirect } = require('./service');

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
  // What is wrong the page tells the person, who gives up, or the app.
  denied: ['KinveyError', /Wrong username or password.*cancelled/s],
  unknown: ['KinveyError', /no such app or auth service.*cancelled/s],
  badSecret: ['InsufficientCredentialsError', /Client authentication failed/],
  badRedirect: ['KinveyError', /none that is registered.*cancelled/s],
  badRequest: ['KinveyError', /^invalid_request/],
  act: async ({ User }, person, name, passwords, { redirect: uri = redirect, ...options }) => {
    Object.assign(person, { name, passwords, redirect: uri });
    return User.loginWithMIC(uri, undefined, options);
  },
};

const passwordGrant = {
  name: 'password grant',
  option: 'allowPasswordGrant',
  denied: ['InsufficientCredentialsError', /Wrong username or password/],
  unknown: ['InsufficientCredentialsError', /Client authentication failed/],
  badSecret: ['InsufficientCredentialsError', /Client authentication failed/],
  closed: ['KinveyError', /does not allow that way/],
  act: ({ User }, person, name, passwords, options) => User.loginWithMICUsingResourceOwnerCredentials(name, passwords[0], options),
};

function program(more) {
  const person = {};
  const kinvey = platform.load(more, { open: async url => new Window(platform.reached(url), person) });
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

// told is all that a person and his app are told of an error.
const told = ({ person: { browser } }, error) => `${(browser && browser.page) || ''}${error.message} ${error.debug}`;

const client = { program, errorName: error => error.name, told };

module.exports = { client, loginPage, passwordGrant };
