'use strict';
// What the scripts share: a browser whose pages are watched, an operator who signs
// in, and requests past the console, to the apps' own listener and by the command line.
//
// A page may not complain on its console, throw, ask another origin, get a refusal
// that nobody expects, or do what its policy forbids: each is a fault, and a script
// ends with a check that there were none.

const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { chromium } = require('playwright-core');
const { assert, check, run } = require('../../clients/install/checks');

const page = process.env.POSTERN_PAGE; // ends with /-/console/
const origin = new URL(page).origin;
const url = process.env.POSTERN_URL;
const kid = 'kid_acme';
const appSecret = '0123456789abcdef0123456789abcdef';
const masterSecret = 'fedcba9876543210fedcba9876543210';
const owner = { email: 'olga@example.com', password: 'correct horse battery staple' };

const basic = (name, password) => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
const asMaster = basic(kid, masterSecret);
const asApp = basic(kid, appSecret);

let networks = 0;

// network is the address of somebody who has not been here yet: the server takes only
// so many sign-ups from one, and its test is a proxy that it trusts.
const network = () => { networks += 1; return `100.${64 + Math.floor(networks / 250)}.${networks % 250}.7`; };

// rest is a request to the apps' listener, by the master unless said otherwise.
async function rest(method, where, body, authorization = asMaster, more = {}) {
  const answer = await fetch(url + where, {
    method,
    headers: { Authorization: authorization, 'Content-Type': 'application/json', 'X-Kinvey-Api-Version': '5', 'X-Forwarded-For': network(), ...more },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) };
}

async function must(...request) {
  const answer = await rest(...request);
  assert(answer.status < 300, `${request.slice(0, 2).join(' ')}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

// cli is a command of the administrator's, on the server's data directory.
const cli = (args, input = '') => execFileSync(process.env.POSTERN_BINARY, [...args, '--data', process.env.POSTERN_DATA], {
  input, encoding: 'utf8', env: { PATH: process.env.PATH, HOME: process.env.HOME }, maxBuffer: 64 << 20, stdio: ['pipe', 'pipe', 'pipe'],
});

const management = (...rest) => ['/v4/environments', kid, ...rest].join('/');
const ref = user => ({ _type: 'KinveyRef', _collection: 'user', _id: user });
const signUp = (username, more) => must('POST', `/user/${kid}`, { username, password: `${username} its password`, ...more }, asApp);
const logIn = (username, device) => must('POST', `/user/${kid}/login`, { username, password: `${username} its password` }, asApp, device ? { 'User-Agent': device } : {});
const setGroup = (id, users, groups = [], all = false) => must('PUT', `/group/${kid}/${id}`, {
  _id: id, users: { all, list: users.map(ref) }, groups: groups.map(_id => ({ _type: 'KinveyRef', _collection: 'group', _id })),
});
// load imports entities; a level is that of the collection.
const load = (collection, level, entities) => cli(['import', '--quiet', '--app', kid, '--collection', collection, '--level', level, '-'],
  entities.map(e => JSON.stringify(e)).join('\n'));

const launch = () => chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [...(process.getuid() === 0 ? ['--no-sandbox'] : []), '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

// watch notes what the pages of a context do that they should not. allow takes what a
// test provokes: a status and the path it is expected of.
const watched = []; // what every context has done, for who looks into a failure
function watch(context) {
  const faults = [];
  watched.push(faults);
  const allowed = [];
  const fault = text => faults.push(text);
  const expected = (status, where) => allowed.some(a => a.status === status && a.path.test(where));
  const pathOf = address => { try { return new URL(address).pathname.replace('/-/console/', ''); } catch { return address; } };
  context.on('request', (r) => {
    if (!/^(data|blob):/.test(r.url()) && new URL(r.url()).origin !== origin) fault(`asks ${r.method()} ${r.url().slice(0, 300)}`);
  });
  context.on('response', (r) => {
    if (r.status() >= 400 && !expected(r.status(), pathOf(r.url()))) {
      const told = `${r.status()} for ${r.request().method()} ${r.url().slice(0, 300)}`;
      r.text().then(text => fault(`${told}: ${text.slice(0, 400)}`), () => fault(told));
    }
  });
  context.on('requestfailed', (r) => {
    const { errorText } = r.failure();
    // A page that is left takes back what it asked for.
    if (!(errorText === 'net::ERR_ABORTED' && r.method() === 'GET')) fault(`${r.method()} ${r.url().slice(0, 300)}: ${errorText}`);
  });
  context.on('console', (m) => {
    if (m.type() !== 'error' && m.type() !== 'warning') return;
    const refused = /^Failed to load resource: the server responded with a status of (\d+)/.exec(m.text());
    if (refused && expected(Number(refused[1]), pathOf(m.location().url))) return;
    fault(`says ${m.type()}: ${m.text().slice(0, 500)} (${m.location().url})`);
  });
  context.on('weberror', e => fault(`throws ${e.error().stack || e.error()} at ${e.page()?.url()}`));
  context.on('dialog', (d) => { fault(`opens the dialog ${d.message()}`); d.dismiss().catch(() => {}); });
  return {
    faults,
    allow: (status, where) => allowed.push({ status, path: where }),
    none: () => { const were = faults.splice(0); assert.deepEqual(were, []); },
  };
}

// visitor is somebody's browser: its own cookies, and one page.
async function visitor(browser, { width = 1280, height = 800, dark = false, ...more } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', reducedMotion: 'reduce', locale: 'en-GB', timezoneId: 'UTC', deviceScaleFactor: 1, ...more,
  });
  context.setDefaultTimeout(20_000);
  const seen = watch(context);
  // Nobody is signed in when the page is first loaded.
  seen.allow(401, /^session$/);
  await context.addInitScript(() => {
    // Tells a test when the page waits for nothing.
    let open = 0;
    const { fetch } = window;
    window.fetch = (...args) => {
      open += 1;
      return fetch(...args).finally(() => setTimeout(() => { open -= 1; }));
    };
    let quiet = 0;
    window.stir = () => { quiet = 0; };
    window.settled = () => {
      const waits = open > 0 || !document.querySelector('main h1') || document.querySelector('.loading, [aria-busy=true]');
      quiet = waits ? 0 : quiet + 1;
      return quiet > 5;
    };
    addEventListener('securitypolicyviolation', e => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  });
  const p = await context.newPage();
  return { context, page: p, seen };
}

// fillIn and signIn are a person at the login page.
async function fillIn(p, who) {
  await p.getByLabel('E-mail address').fill(who.email);
  await p.getByLabel('Password').fill(who.password);
  await p.getByRole('button', { name: 'Sign in' }).click();
}

async function signIn(p, who = owner, where = '') {
  await p.goto(page + where);
  await fillIn(p, who);
  await p.getByRole('navigation', { name: 'Main' }).or(p.getByRole('button', { name: 'Open the navigation' })).first().waitFor();
}

// open goes to an address of the console and waits until its page has settled.
async function open(p, hash) {
  await p.evaluate(to => new Promise((resolve) => {
    if (location.hash === to) { resolve(); return; }
    addEventListener('hashchange', resolve, { once: true });
    location.hash = to;
  }), hash);
  await settled(p);
}

// settled waits until, for some frames, no request is open and nothing says that it loads.
async function settled(p) {
  await p.evaluate(() => window.stir());
  await p.waitForFunction(() => window.settled());
}

// ask is a request that the page itself makes.
const ask = (p, method, where, body, headers = {}) => p.evaluate(async ([method, where, body, headers]) => {
  const answer = await fetch(`/-/console/${where}`, {
    method, headers: { 'X-Postern-Console': '1', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  let value = text;
  try { value = JSON.parse(text); } catch { /* no JSON */ }
  return { status: answer.status, body: value };
}, [method, where, body, headers]);

// shot takes a picture for whoever wants to look at it, in the directory that the
// environment names.
const shots = process.env.POSTERN_SCREENSHOTS;
const shot = async (p, name, options = {}) => { if (shots) await p.screenshot({ path: path.join(shots, `${name}.png`), ...options }); };

// inBrowser runs a script with a browser that ends with it.
const inBrowser = script => run(async () => {
  if (shots) fs.mkdirSync(shots, { recursive: true });
  const browser = await launch();
  try {
    await script(browser);
  } catch (e) {
    process.stderr.write(`${JSON.stringify(watched.flat().slice(0, 20), null, 1)}\n`);
    throw e;
  } finally {
    await browser.close();
  }
});

module.exports = {
  appSecret, asApp, asMaster, ask, assert, basic, check, cli, fillIn, inBrowser, kid, load, logIn, management, masterSecret, must, open, origin, owner, page,
  ref, rest, setGroup, settled, shot, signIn, signUp, url, visitor,
};
