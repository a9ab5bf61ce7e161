'use strict';
// What an operator may do by his role, and the second factor.

const { createHmac } = require('node:crypto');
const { ask, assert, check, fillIn, inBrowser, kid, masterSecret, open, owner, page, settled, signIn, visitor } = require('./console');
const { make } = require('./world');

const viewer = { email: 'vera@example.com', password: 'vera looks and does not touch' };
const editor = { email: 'edith@example.com', password: 'edith changes what is in there' };

// code is what an authenticator shows, some steps of 30 s from now.
function code(secret, steps = 0) {
  let bits = '';
  for (const c of secret.replace(/=+$/, '').toUpperCase()) bits += 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0');
  const key = Buffer.from(bits.match(/.{8}/g).map(b => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac('sha1', key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

// changes are the words on buttons that change something.
const changes = /^(?!Change password)(add|apply|change|create|delete|disable|discard|drop|edit|enable|end|give|import|lock|make|new|put|regenerate|remove|rename|replace|reset|restore|revoke|save|set(?! up a second)|suspend|switch (on|off)|take|transfer|unlock|upload)\b/i;

// controls are the names of all that can be pressed on a page, or switched.
const controls = p => p.evaluate(() => [...document.querySelectorAll('button, [role=button], [role=menuitem], [role=switch], input[type=file], input[type=submit]')]
  .filter(el => el.checkVisibility()).map(el => (el.getAttribute('aria-label') || el.textContent || el.labels?.[0]?.textContent || el.type).trim()));

inBrowser(async (browser) => {
  const { id } = await make(2000);
  const boss = await visitor(browser);
  await signIn(boss.page);
  await check('the owner makes operators with roles', async () => {
    for (const [who, role] of [[viewer, 'viewer'], [editor, 'editor']]) {
      const made = await ask(boss.page, 'POST', 'api/v4/operators', { ...who, role });
      assert(made.status < 300, JSON.stringify(made));
    }
    const list = await ask(boss.page, 'GET', 'api/v4/operators');
    assert.deepEqual(list.body.map(o => [o.email, o.role]).sort(), [[editor.email, 'editor'], [owner.email, 'owner'], [viewer.email, 'viewer']].sort());
  });

  const places = [
    ['data', []], ['data/orders', []], ['data/orders?id=order-000007', []], ['settings/orders', []], ['users', []], [`users/${id.alice}`, []],
    ['sessions', []], ['groups', []], ['groups/sales', []], ['access', []], ['identity', []], ['activity', []], ['/system', []],
  ].map(([where]) => (where.startsWith('/') ? `#${where}` : `#/${kid}/${where}`));
  const low = await visitor(browser);
  await signIn(low.page, viewer);
  for (const where of places) {
    await check(`a viewer finds nothing to change at ${where.replace(id.alice, 'alice')}`, async () => {
      await low.page.goto(page + where);
      await settled(low.page);
      const found = await controls(low.page);
      assert(found.length > 0, 'no control at all');
      assert.deepEqual(found.filter(name => changes.test(name)), []);
    });
  }
  await check('the same pages have such buttons for the owner', async () => {
    const without = [];
    for (const where of places.filter(w => !/activity|access|data$/.test(w))) {
      await boss.page.goto(page + where);
      await settled(boss.page);
      if (!(await controls(boss.page)).some(name => changes.test(name))) without.push(where);
    }
    assert.deepEqual(without, []);
  });
  low.seen.none();

  const environment = `api/v4/environments/${kid}`;
  const writes = [
    ['PUT', `${environment}/collections/orders`, { permissions: 'full' }], ['DELETE', `${environment}/collections/notes`],
    ['POST', `${environment}/collections`, { name: 'more' }], ['POST', `api/appdata/${kid}/notes`, { text: 'x' }], ['PUT', `api/appdata/${kid}/notes/n1`, { text: 'x' }],
    ['DELETE', `api/appdata/${kid}/notes/n1`], ['POST', `api/user/${kid}`, { username: 'x', password: 'x x x x x x' }], ['DELETE', `api/user/${kid}/${id.alice}`],
    ['PUT', `api/group/${kid}/sales`, { _id: 'sales', users: { all: true } }], ['DELETE', `api/group/${kid}/sales`],
    ['POST', `${environment}/collections/orders/bulk-acl`, { query: {}, change: { gr: true }, dryRun: false }],
    ['POST', `${environment}/users/alice/suspend`, {}], ['DELETE', `${environment}/users/alice/sessions`], ['PUT', `${environment}/users/alice/password`, { password: 'x x x x x x' }],
  ];
  const owned = [
    ['POST', 'api/v4/operators', { email: 'x@example.com', password: 'x x x x x x x x', role: 'owner' }], ['PUT', `api/v4/operators/${viewer.email}`, { role: 'owner' }],
    ['DELETE', `api/v4/operators/${owner.email}`], ['POST', 'api/v4/apps', { appName: 'x' }], ['DELETE', `${environment}`], ['PUT', environment, { appName: 'x' }],
    ['POST', `${environment}/regenerate-mastersecret`, {}], ['POST', `${environment}/regenerate-appsecret`, {}], ['GET', 'api/v4/backup'], ['GET', `${environment}/config`],
    ['POST', 'api/v4/identity-stores', { name: 'x' }], ['POST', 'api/v4/auth-services', { name: 'x' }],
  ];
  for (const [method, where, body] of [...writes, ...owned]) {
    await check(`a viewer's ${method} ${where.replace(id.alice, 'alice')} is refused`, async () => {
      low.seen.allow(403, /./);
      const { status, body: told } = await ask(low.page, method, where, body);
      assert.equal(status, 403, JSON.stringify(told));
    });
  }
  await check('and has changed nothing', async () => {
    assert.deepEqual((await ask(boss.page, 'GET', `${environment}/collections/orders`)).body.permissions, 'append-read');
    assert.equal((await ask(boss.page, 'GET', `api/appdata/${kid}/notes/n1`)).body.text, 'Anybody may change this');
    assert.equal((await ask(boss.page, 'GET', 'api/v4/operators')).body.length, 3);
  });
  await check('an editor changes data, and neither apps nor operators', async () => {
    const mid = await visitor(browser);
    await signIn(mid.page, editor);
    mid.seen.allow(403, /./);
    assert((await ask(mid.page, 'POST', `api/appdata/${kid}/notes`, { text: 'x' })).status < 300);
    for (const [method, where, body] of owned) assert.equal((await ask(mid.page, method, where, body)).status, 403, `${method} ${where}`);
    mid.seen.none();
    await mid.context.close();
  });
  await check('seen as a user nothing is written, by an owner either', async () => {
    boss.seen.allow(403, /./);
    const as = { 'X-Postern-Seen-As': id.alice };
    assert.equal((await ask(boss.page, 'GET', `api/appdata/${kid}/watchlist`, undefined, as)).body.length, 2);
    for (const [method, where, body] of writes) assert.equal((await ask(boss.page, method, where, body, as)).status, 403, `${method} ${where}`);
  });
  await check('no secret is in any answer', async () => {
    for (const where of ['api/v4/apps', environment, `api/v4/apps/${kid}`, `api/v4/apps/${kid}/environments`, 'api/v4/system', 'session', 'api/v4/audit', 'api/v4/operators', 'api/v4/user']) {
      const { body } = await ask(boss.page, 'GET', where);
      const text = JSON.stringify(body);
      assert(!text.includes(masterSecret) && !/"masterSecret":"[^"]/.test(text) && !text.includes('$argon2'), `${where}: ${text}`);
    }
  });
  await check('an operator whose role changes is signed out', async () => {
    low.seen.allow(401, /./);
    assert((await ask(boss.page, 'PUT', `api/v4/operators/${viewer.email}`, { role: 'editor' })).status < 300);
    assert.equal((await ask(low.page, 'GET', 'session')).status, 401);
    await low.page.evaluate((to) => { location.hash = to; }, `#/${kid}/users`);
    await low.page.getByLabel('E-mail address').waitFor();
  });

  // The second factor, with its own eyes.
  const b = await visitor(browser);
  let secret;
  await signIn(b.page, editor);
  const menu = async (item) => {
    await b.page.getByRole('button', { name: /^Operator / }).click();
    await b.page.getByRole('menuitem', { name: item }).click();
  };
  await check('a second factor is set up with the password and a code', async () => {
    await menu('Set up a second factor');
    const d = b.page.getByRole('dialog', { name: 'Set up a second factor' });
    await d.getByLabel('Password').fill(editor.password);
    await d.getByRole('button', { name: 'Go on' }).click();
    secret = (await d.getByRole('region', { name: 'Key' }).textContent()).trim();
    assert.match(secret, /^[A-Z2-7]{16,}$/);
    await d.getByLabel('Code').fill(code(secret));
    await d.getByRole('button', { name: 'Switch on' }).click();
    await b.page.getByText('The second factor is on').waitFor();
    await d.waitFor({ state: 'detached' });
  });
  b.seen.none();
  b.seen.allow(401, /^(login|session)$/);
  await check('then the password is not enough', async () => {
    await menu('Sign out');
    await fillIn(b.page, editor);
    await b.page.getByLabel('Code of your authenticator').waitFor();
    assert.deepEqual(await b.context.cookies(), []);
  });
  await check('and a wrong code is not', async () => {
    await b.page.getByLabel('Code of your authenticator').fill(code(secret, 1) === '000000' ? '000001' : '000000');
    await b.page.keyboard.press('Enter');
    await b.page.getByText('not the right one').waitFor();
    assert.deepEqual(await b.context.cookies(), []);
  });
  await check('but the right one is', async () => {
    await b.page.getByLabel('Code of your authenticator').fill(code(secret, 1)); // the one before was used
    await b.page.keyboard.press('Enter');
    await b.page.getByRole('navigation', { name: 'Main' }).waitFor();
  });
  await check('and opens nothing a second time', async () => {
    const again = await ask(b.page, 'POST', 'login', { ...editor, code: code(secret, 1) });
    assert.equal(again.status, 401);
  });
  await open(b.page, `#/${kid}/data`);
  await check('no page complained', () => { b.seen.none(); low.seen.none(); boss.seen.none(); });
});
