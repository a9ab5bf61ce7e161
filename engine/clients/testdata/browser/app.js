'use strict';
// The app that is tried in Chromium: its page, with an SDK for browsers, the server
// of that page, and the person before it.

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { chromium } = require('playwright-core');
const life = require('../life/lifecycle');

const { kid, url } = life;
const server = new URL(url);
const tls = server.protocol === 'https:';

// The hosts of kinvey-js-sdk 7 are fixed; that of the SDK before it is not.
const settings = Object.assign({ appKey: kid, appSecret: life.appSecret }, tls
  ? { instanceId: 'acme', storage: 'LocalStorage' } : { apiHostname: url, micHostname: url });
const micOrigin = tls ? 'https://acme-auth.kinvey.com' : url;

// sdk is the text of the SDK for a page: the one file that is published, or one
// that is made of the published files.
function sdk() {
  if (!tls) return fs.readFileSync(require.resolve('kinvey-html5-sdk'));
  const { outputFiles: [file] } = require('esbuild').buildSync({
    stdin: { contents: 'export * from "kinvey-html5-sdk"', resolveDir: path.dirname(require.resolve('kinvey-html5-sdk/package.json')) },
    bundle: true, format: 'iife', globalName: 'Kinvey', define: { global: 'window' }, write: false, logLevel: 'error',
  });
  return file.text;
}

const app = `
  Kinvey.init(${JSON.stringify(settings)});
  const redirect = location.origin + '/callback';
  document.querySelector('button').onclick = () => {
    window.outcome = Kinvey.User.loginWithMIC(redirect).then(user => user.data.username, error => 'failed: ' + error.message);
  };
  const told = promise => Promise.resolve(promise).then(value => ({ value }), error => ({ error: error.name }));
  const user = async () => { const user = await Kinvey.User.getActiveUser(); return user ? user.data : null; };
  const find = name => told(Kinvey.DataStore.collection(name, Kinvey.DataStoreType.Network).find().toPromise());
  const logout = () => told(Kinvey.User.logout());`;

// pages are what the app's own server has.
const pages = {
  '/': ['text/html', '<!doctype html><meta charset="utf-8"><title>App</title><link rel="icon" href="data:,"><button>Log in</button><script src="/sdk.js"></script><script src="/app.js"></script>'],
  '/sdk.js': ['text/javascript', sdk()],
  '/app.js': ['text/javascript', app],
  '/callback': ['text/html', '<!doctype html><title>Back</title><link rel="icon" href="data:,">'],
};

function serve() {
  const listener = http.createServer((req, res) => {
    const [type, text] = pages[new URL(req.url, 'http://app').pathname] || ['text/plain'];
    res.writeHead(text === undefined ? 404 : 200, { 'Content-Type': `${type}; charset=utf-8` }).end(text);
  });
  return new Promise((resolve) => { listener.listen(0, '127.0.0.1', () => resolve(listener)); });
}

// launch starts a browser whose home directory says whom it trusts.
const launch = home => chromium.launch({
  executablePath: '/usr/bin/chromium',
  env: Object.assign({}, process.env, { HOME: home }),
  args: [
    ...(process.getuid() === 0 ? ['--no-sandbox'] : []), '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
    `--host-resolver-rules=${['baas', 'auth'].map(name => `MAP acme-${name}.kinvey.com 127.0.0.1:${server.port},`).join('')}MAP * ~NOTFOUND,EXCLUDE 127.0.0.1`,
  ],
});

// open is the page of the app, and all that goes on in its browser.
async function open(browser, at) {
  const context = await browser.newContext({ locale: 'en' });
  const seen = { requests: [], answers: [], problems: [] };
  context.on('request', request => seen.requests.push(`${request.method()} ${request.url()}`));
  context.on('response', answer => seen.answers.push(`${answer.request().method()} ${new URL(answer.url()).pathname} ${answer.status()}`));
  context.on('console', message => ['error', 'warning'].includes(message.type()) && seen.problems.push(message.text()));
  context.on('weberror', error => seen.problems.push(String(error.error())));
  const page = await context.newPage();
  await page.goto(at);
  const call = text => page.evaluate(text);
  return {
    context, page, seen,
    user: () => call('user()'),
    find: name => call(`find(${JSON.stringify(name)})`),
    logout: () => call('logout()'),
    outcome: () => call('window.outcome'),
    // press has the SDK open its window.
    press: async () => (await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Log in' }).click()]))[0],
  };
}

const type = async (popup, name, password) => {
  await popup.getByLabel('Username').fill(name);
  await popup.getByLabel('Password').fill(password);
  await popup.getByRole('button', { name: 'Log in' }).click();
};

async function logIn(p, name) {
  const popup = await p.press();
  const closed = popup.waitForEvent('close');
  await type(popup, name, name);
  await closed;
  return p.outcome();
}

// inChromium runs a script with the app's server and browsers, which end with it.
async function inChromium(script) {
  const listener = await serve();
  const browsers = [];
  const browser = async (...how) => {
    browsers.push(await launch(...how));
    return browsers[browsers.length - 1];
  };
  try {
    await script(browser, `http://127.0.0.1:${listener.address().port}/`);
  } finally {
    await Promise.all(browsers.map(b => b.close()));
    listener.close();
    listener.closeAllConnections();
  }
}

module.exports = { inChromium, logIn, micOrigin, open, tls, type };
