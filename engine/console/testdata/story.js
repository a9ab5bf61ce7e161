'use strict';
// An operator's day: the first login, 100,000 records, a level that is changed, a
// record that is shared with a group, what another user sees of it, why a third one
// does not, a session that is ended, and the audit of it all.

const fs = require('node:fs');
const path = require('node:path');
const { ask, assert, basic, check, fillIn, inBrowser, kid, management, must, open, owner, page, rest, settled, shot, signIn, url, visitor } = require('./console');
const { small } = require('./picture');
const { count, make } = require('./world');

const pictures = process.env.POSTERN_PICTURES;
const many = n => n.toLocaleString('en-US');

inBrowser(async (browser) => {
  const { id, token } = await make();
  const { page: p, seen } = await visitor(browser);
  const press = (role, name) => p.getByRole(role, { name, exact: typeof name === 'string' }).last().click();
  const dialog = () => p.getByRole('dialog').last();
  const rows = () => p.getByRole('table', { name: 'Records of orders' }).getByRole('row');
  const first = () => rows().nth(1).innerText();

  // picture makes one for the README, when the environment names a directory for them.
  async function picture(name, arrange) {
    if (!pictures) return;
    await arrange();
    await p.waitForFunction(() => !document.querySelector('.toast'));
    fs.writeFileSync(path.join(pictures, `${name}.png`), small(await p.screenshot()));
    await p.setViewportSize({ width: 1280, height: 800 });
  }

  await check('the first login: a wrong password is said in plain words', async () => {
    await p.goto(page);
    seen.allow(401, /^login$/);
    await fillIn(p, { ...owner, password: 'wrong' });
    await p.getByText('Nobody is known').waitFor();
    assert.equal(await p.getByLabel('E-mail address').inputValue(), owner.email);
  });
  await check('then the right one leads to the data', async () => {
    await fillIn(p, owner);
    await p.getByRole('heading', { name: 'Data', level: 1 }).waitFor();
    await settled(p);
    assert.equal(new URL(p.url()).hash, `#/${kid}/data`);
  });
  await check('the collections are counted', async () => {
    const line = await p.getByRole('row', { name: /^orders/ }).innerText();
    assert.match(line, new RegExp(`orders[^]*Shared[^]*${many(count)}[^]*300`));
  });
  await check('100,000 records are browsed by pages', async () => {
    await press('link', 'orders');
    await settled(p);
    await p.getByText(new RegExp(`1.50 of ${many(count)}`)).waitFor();
    assert.equal(await rows().count(), 51);
    assert.match(await first(), /order-000000/);
    await press('button', 'Next page');
    await settled(p);
    assert.match(await first(), /order-000050/);
    await p.goBack();
    await settled(p);
    assert.match(await first(), /order-000000/);
  });
  await check('the last of them, too', async () => {
    await open(p, `#/${kid}/data/orders?skip=${count - 50}`);
    assert.match(await first(), /order-099950/);
    assert.equal(await rows().count(), 51);
  });
  await check('a query and a sort find what the server finds', async () => {
    await open(p, `#/${kid}/data/orders`);
    await p.getByLabel('Query', { exact: true }).fill('{"status":"paid","amount":{"$gt":990}}');
    await p.getByLabel('Sort', { exact: true }).fill('-amount');
    await press('button', 'Run');
    await settled(p);
    const want = await must('GET', `/appdata/${kid}/orders?query={"status":"paid","amount":{"$gt":990}}&sort={"amount":-1}&limit=50`);
    assert.match(await first(), new RegExp(want[0]._id));
    const ids = (await rows().locator('.row-link').allInnerTexts());
    assert.deepEqual(ids, want.map(e => e._id));
  });
  await check('a column is sorted by its head', async () => {
    await open(p, `#/${kid}/data/orders`);
    await p.getByRole('columnheader', { name: 'amount' }).getByRole('button').click();
    await settled(p);
    const want = await must('GET', `/appdata/${kid}/orders?query={}&sort={"amount":1}&limit=1`);
    assert.match(await first(), new RegExp(want[0]._id));
  });
  await picture('data', async () => {
    await open(p, `#/${kid}/data/orders`);
    await p.setViewportSize({ width: 1280, height: 620 });
  });
  await check('the access column says in short who has a right', async () => {
    await open(p, `#/${kid}/data/orders?query={"_id":"order-000007"}`);
    assert.match(await first(), /heidi\s*R:2\+2g\s*W:owner/);
  });
  // What make says of the _acl: 100 are not for all, dave writes some besides his own.
  for (const [filter, who, n] of [['readable', 'bob', count], ['readable', 'erin', count - 100], ['writable', 'dave', count / 20 + 200], ['owned', 'carol', count / 20], ['shared', 'sales', 100], ['overrides', '', 300]]) {
    await check(`a filter by access: ${filter} ${who}`, async () => {
      const whom = filter === 'shared' ? `&group=${who}` : who ? `&user=${id[who]}` : '';
      await open(p, `#/${kid}/data/orders?filter=${filter}${whom}`);
      await p.getByText(new RegExp(`of ${many(n)}\\b`)).waitFor();
    });
  }
  seen.none();

  await check('a level is changed: the effect is shown first', async () => {
    await open(p, `#/${kid}/settings/orders`);
    await p.getByText('Any signed-in user can read every record.').waitFor();
    await p.getByText(`300 of ${many(count)} records`).waitFor();
    await p.getByRole('radio', { name: /^Private/ }).check();
    await press('button', 'Review the change');
    const told = await ask(p, 'POST', `api/v4/environments/${kid}/collections/orders/preview`, { level: 'private' });
    await dialog().getByText(`${many(told.body.read.lose)} lost`).waitFor();
    assert.equal((await must('GET', management('collections', 'orders'), undefined, undefined)).permissions, 'append-read', 'nothing is saved yet');
    await shot(p, 'story-effect');
  });
  await check('and saved then', async () => {
    await dialog().getByRole('button', { name: 'Change to Private' }).click();
    await dialog().waitFor({ state: 'detached' });
    await settled(p);
    await p.locator('main').getByText('Signed-in users read only the records they created.').waitFor();
    const erin = basic('erin', 'erin its password');
    assert.equal((await must('GET', `/appdata/${kid}/orders/_count`, undefined, erin)).count, count / 20);
  });
  const record = 'order-000020'; // alice's
  await check('a record is shared with a group, by name, with the effect first', async () => {
    await open(p, `#/${kid}/data/orders?query={"_id":"${record}"}`);
    await press('button', new RegExp(`^Access of ${record}`));
    await p.getByRole('combobox', { name: 'Add people or groups' }).fill('sal');
    await p.getByRole('option', { name: /^sales/ }).click();
    await p.getByText('+ 2 gained').waitFor(); // bob, by emea, and carol; alice had it
    await press('button', 'Save access');
    await p.getByText(`Access of ${record} saved`).waitFor();
    await settled(p);
    await p.getByText('3 users of 20 users can read it.').waitFor();
    await dialog().getByText('sales → emea → bob').waitFor();
    assert.equal((await rest('GET', `/appdata/${kid}/orders/${record}`, undefined, basic('bob', 'bob its password'))).status, 200);
  });
  await check('why may a third one not? The rules say so, and what would allow it', async () => {
    await p.getByRole('tab', { name: 'Why?' }).click();
    await p.getByRole('combobox', { name: 'User', exact: true }).fill('erin');
    await p.getByRole('option', { name: /^erin/ }).click();
    const why = p.getByTestId('why');
    await why.getByText(/erin cannot read/).waitFor();
    await why.getByText('because the level of the collection is').waitFor();
    assert.match(await why.getByRole('listitem').filter({ hasText: 'Decided' }).first().innerText(), /level[^]*Private/i);
    await why.getByText(/Put erin into the group/).first().waitFor();
    assert.equal((await rest('GET', `/appdata/${kid}/orders/${record}`, undefined, basic('erin', 'erin its password'))).status, 401);
    await why.scrollIntoViewIfNeeded();
    await shot(p, 'story-why');
  });
  await picture('why', async () => {
    await p.setViewportSize({ width: 1280, height: 860 });
    await p.getByTestId('why').getByText('erin cannot read').evaluate(el => el.closest('[data-testid=why]').scrollIntoView());
  });
  await check('the other user sees it: the same that he gets himself', async () => {
    await p.keyboard.press('Escape');
    await open(p, `#/${kid}/data`);
    await press('button', 'See as a user');
    await p.getByRole('combobox', { name: 'User', exact: true }).fill('bob');
    await p.getByRole('option', { name: /^bob/ }).click();
    await p.getByTestId('seen-as').getByText('bob').waitFor();
    await settled(p);
    await press('link', 'orders');
    await settled(p);
    const bob = basic('bob', 'bob its password');
    const { count: his } = await must('GET', `/appdata/${kid}/orders/_count`, undefined, bob);
    await p.getByText(new RegExp(`of ${many(his)}\\b`)).waitFor();
    await open(p, `#/${kid}/data/orders?as=${id.bob}&query={"_id":"${record}"}`);
    assert.match(await first(), new RegExp(record));
    assert.equal(await p.getByRole('button', { name: /Create|Delete|Change access/ }).count(), 0);
    await shot(p, 'story-seen-as');
  });
  await check('and the third one does not', async () => {
    await open(p, `#/${kid}/data/orders?as=${id.erin}&query={"_id":"${record}"}`);
    await p.getByText('No record matches').waitFor();
  });
  seen.none();

  await check('a session is ended, and its token is worth nothing at once', async () => {
    const [[, stolen]] = Object.entries(token).filter(([name]) => name.startsWith('carol'));
    const mine = () => fetch(`${url}/user/${kid}/_me`, { headers: { Authorization: `Kinvey ${stolen}`, 'X-Kinvey-Api-Version': '5' } });
    assert.equal((await mine()).status, 200);
    await open(p, `#/${kid}/sessions`);
    await p.getByRole('row', { name: /carol[^]*kinvey-node-sdk/ }).getByRole('button', { name: /^End/ }).click();
    const sure = p.getByRole('dialog').getByRole('button', { name: /^End/ });
    if (await sure.count()) await sure.click();
    await p.getByRole('row', { name: /carol[^]*kinvey-node-sdk/ }).waitFor({ state: 'detached' });
    assert.equal((await mine()).status, 401);
  });
  await check('the audit has it all, with what was before and after', async () => {
    const { body } = await ask(p, 'GET', 'api/v4/audit?limit=50');
    const of = act => body.records.find(r => act.test(r.act));
    assert.match(of(/level|settings/).by, /olga@example.com/);
    assert.deepEqual([of(/level|settings/).collection, /private/i.test(JSON.stringify(of(/level|settings/).after)), /shared/i.test(JSON.stringify(of(/level|settings/).before))], ['orders', true, true]);
    assert.match(JSON.stringify(of(/acl|access/i).after), /sales/);
    assert(of(/session/), JSON.stringify(body.records.map(r => r.act)));
    assert.match(of(/log in/).by, /olga@example.com/);
    assert.equal((await ask(p, 'GET', 'api/v4/audit/verify')).body.ok, true);
  });
  await check('and the Activity page shows it', async () => {
    await open(p, `#/${kid}/activity`);
    await p.getByRole('tab', { name: 'Audit' }).click();
    await settled(p);
    const line = p.getByRole('row', { name: /set level/ }).first();
    await line.waitFor();
    assert.match(await line.innerText(), /olga@example\.com/);
    assert.match(await p.locator('main').innerText(), /Shared[^]*Private|shared[^]*private/);
    await shot(p, 'story-audit');
  });
  await check('numbers keep their digits when a record is edited', async () => {
    const digits = '12345678901234567890'; // more than a number of a browser holds
    await must('POST', `/appdata/${kid}/exact`, { _id: 'first' });
    await open(p, `#/${kid}/data/exact`);
    await press('button', 'Create record');
    await dialog().getByRole('textbox').fill(`{"_id":"big","n":${digits},"small":0.1,"text":"a"}`);
    await dialog().getByRole('button', { name: 'Create record' }).click();
    await p.getByText('big was created').waitFor();
    await open(p, `#/${kid}/data/exact?id=big`);
    await press('button', 'Edit');
    const area = dialog().getByRole('textbox');
    await area.fill((await area.inputValue()).replace('"a"', '"b"'));
    await dialog().getByRole('button', { name: 'Save record' }).click();
    await p.getByText('big was saved').waitFor();
    const text = await p.evaluate(async at => (await fetch(at, { headers: { 'X-Postern-Console': '1' } })).text(), `/-/console/api/appdata/${kid}/exact/big`);
    assert(text.includes(`"n":${digits}`) && text.includes('"small":0.1') && text.includes('"text":"b"'), text);
    await p.keyboard.press('Escape');
    await p.getByTestId('record').waitFor({ state: 'detached' });
  });
  await check('signed out, nothing is left of it', async () => {
    await press('button', /^Operator /);
    await press('menuitem', 'Sign out');
    await p.getByText('You are signed out.').waitFor();
    assert.deepEqual(await p.context().cookies(), []);
    await p.goBack();
    await p.getByLabel('E-mail address').waitFor();
    assert(!(await p.content()).includes(record));
  });
  await check('no page complained', () => seen.none());
});
