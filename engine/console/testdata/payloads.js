'use strict';
// 200 texts that want to be code or markup, wherever a user, a client or another
// operator can leave one: they are shown as what they are, and none does anything.

const fs = require('node:fs');
const { asApp, ask, assert, check, cli, inBrowser, kid, load, management, must, open, page, ref, rest, settled, signIn, visitor } = require('./console');
const { hostile } = require('./hostile');

const segment = encodeURIComponent;
// inHeader is what of a text a header can carry.
const inHeader = text => text.replace(/[^\x20-\x7e]/g, ' ').trim().slice(0, 300) || 'x';

const appName = '<img src=x onerror=pwned(1)>';

// fill leaves every text wherever the server takes it, and says where it did.
async function fill() {
  const taken = { users: [], groups: [], collections: [], ids: [], keys: [], values: [] };
  const id = [];
  const one = async (text, n) => {
    const made = await rest('POST', `/user/${kid}`, { username: text, password: `password of ${n} ${n}`, bio: text }, asApp, { 'User-Agent': inHeader(text) });
    if (made.status < 300) { taken.users.push(text); id[n] = made.body._id; }
  };
  for (let n = 0; n < hostile.length; n += 8) await Promise.all(hostile.slice(n, n + 8).map((text, i) => one(text, n + i)));
  const users = id.filter(Boolean);
  await must('PUT', `/group/${kid}/plain`, { _id: 'plain', users: { all: false, list: users.map(ref) } });
  for (const text of hostile) {
    const made = await rest('PUT', `/group/${kid}/${segment(text)}`, { _id: text, note: text, users: { all: false, list: users.slice(0, 3).map(ref) }, groups: [{ _type: 'KinveyRef', _collection: 'group', _id: 'plain' }] });
    if (made.status < 300) taken.groups.push(text);
  }
  for (const name of hostile) {
    const made = await rest('POST', `/appdata/${kid}/${segment(name)}`, { _id: 'x', text: name });
    if (made.status < 300) taken.collections.push(name);
  }
  cli(['collection', 'create', kid, 'hostile']);
  const acl = n => ({ creator: id[n] ?? users[0], r: users.slice(n % 5, n % 5 + 3), groups: { r: taken.groups.slice(n % 50, n % 50 + 3), w: [hostile[n]] } });
  for (const [n, text] of hostile.entries()) {
    const put = (_id, more) => rest('PUT', `/appdata/${kid}/hostile/${segment(_id)}`, { _id, n, text, list: [text, { [text]: text }], _acl: acl(n), ...more });
    const whole = Object.fromEntries([[text, text]]);
    if ((await put(`key-${n}`, whole)).status < 300) taken.keys.push(text);
    else await must('PUT', `/appdata/${kid}/hostile/key-${n}`, { _id: `key-${n}`, n, text, _acl: acl(n) });
    if ((await put(text)).status < 300) taken.ids.push(text);
    taken.values.push(text);
  }
  await must('PUT', `/appdata/${kid}/hostile/all`, {
    _id: 'all', ...Object.fromEntries(taken.keys.map(text => [text, text])), _acl: { creator: users[0], r: users, w: users.slice(0, 40), groups: { r: taken.groups, w: taken.groups.slice(0, 40) } },
  });
  cli(['app', 'set', kid, `appName=${appName}`]);
  // Who asks for what is not there is in the log of requests.
  for (const text of hostile.slice(0, 60)) await rest('GET', `/appdata/${kid}/hostile/${segment(`${text}?`)}`, undefined, `Basic ${Buffer.from(`${text}:x`).toString('base64')}`, { 'User-Agent': inHeader(text) });
  return { taken, id, users };
}

// shown says how many of the texts a page shows: as text, in a control, or as a title.
const shown = (p, texts) => p.evaluate((all) => {
  const parts = [document.body.textContent];
  for (const el of document.querySelectorAll('input, textarea')) parts.push(el.value);
  for (const el of document.querySelectorAll('[title]')) parts.push(el.title);
  const page = parts.join('\n');
  // What is long is cut; what is JSON is quoted.
  return all.filter(text => [text, text.trim(), text.slice(0, 100), JSON.stringify(text).slice(1, 100).replace(/"$/, '')].some(t => t !== '' && page.includes(t))).length;
}, texts);

inBrowser(async (browser) => {
  const { taken, id, users } = await fill();
  await check('the server takes them as values, keys, and names of nearly everything', () => {
    const counts = Object.fromEntries(Object.entries(taken).map(([what, list]) => [what, list.length]));
    for (const [what, least] of Object.entries({ values: 200, keys: 150, ids: 150, users: 130, groups: 150, collections: 5 })) assert(counts[what] >= least, JSON.stringify(counts));
  });
  const { context, page: p, seen } = await visitor(browser);
  seen.allow(404, /./);
  await context.addInitScript(() => {
    window.executed = [];
    window.pwned = (n) => { window.executed.push(n); };
  });
  await signIn(p);

  // harmless ends a look at a page: so many texts are there, nothing was made of them.
  const harmless = async (texts, least) => {
    const seenNow = await shown(p, texts);
    assert(seenNow >= least, `${seenNow} of ${texts.length} texts are shown; want ${least}`);
    const made = await p.evaluate(() => ({
      executed: window.executed,
      elements: [...document.querySelectorAll('script, iframe, object, embed, base, style, img, video, audio, image, math, marquee, link, form, meta, xss, custom-element, foreignObject, a[href^="javascript" i], a[ping]')]
        .filter(el => /pwned/.test(el.outerHTML) && !el.matches('form:not([action*=pwned])')).map(el => el.outerHTML.slice(0, 100)),
      handlers: [...document.querySelectorAll('*')].filter(el => [...el.attributes].some(a => /^on/i.test(a.name) || (/^(href|src|action|style|xlink:href|srcdoc|formaction)$/i.test(a.name) && /pwned|script:/i.test(a.value) && !/^#/.test(a.value)))).map(el => el.cloneNode().outerHTML.slice(0, 200)),
    }));
    assert.deepEqual(made, { executed: [], elements: [], handlers: [] });
    seen.none();
  };
  const at = (where, texts, least) => check(`shown as text: ${where}`, async () => {
    await open(p, `#/${kid}/${where}`);
    await harmless(texts, least);
  });
  const dialog = () => p.getByRole('dialog').last();
  const escape = async () => { await p.keyboard.press('Escape'); };

  await at('data', taken.collections, taken.collections.length);
  await at('data/hostile?limit=250&query={"n":{"$lt":100}}', hostile.slice(0, 100), 95);
  await at('data/hostile?limit=250&query={"n":{"$gte":100}}', hostile.slice(100), 95);
  await at('data/hostile?limit=250&view=json', hostile, 90);
  await at('settings', taken.collections, taken.collections.length);
  for (const name of taken.collections.slice(0, 12)) await at(`data/${segment(name)}`, [name], 1);
  for (const name of taken.collections.slice(0, 4)) await at(`settings/${segment(name)}`, [name], 1);
  await at('users', taken.users, 45);
  await at('users?skip=50', taken.users, 45);
  await at('users?skip=100', taken.users, 25);
  await at('sessions', hostile.map(text => inHeader(text).slice(0, 40)), 5);
  await at('groups', taken.groups, 30);
  await at('access', taken.collections, taken.collections.length);
  await at('activity', [], 0);
  await at('activity?tab=audit', [...taken.groups, ...taken.users, ...taken.ids], 10);
  await at('identity', [], 0);
  await check('shown as text: System', async () => {
    await open(p, '#/system');
    await harmless([appName], 1);
  });
  for (const n of users.keys()) if (n % 15 === 0) await at(`users/${users[n]}`, [hostile[id.indexOf(users[n])]], 1);
  for (const [n, group] of taken.groups.entries()) if (n % 15 === 0) await at(`groups/${segment(group)}`, [group], 1);
  await check('shown as text: findings', async () => {
    await open(p, `#/${kid}/access`);
    await p.getByRole('tab', { name: 'Findings' }).click();
    await settled(p);
    await harmless(hostile, 1);
  });
  await check('shown as text: a record of the audit', async () => {
    await open(p, `#/${kid}/activity?tab=audit`);
    await p.getByRole('table', { name: 'Audit' }).getByRole('row').nth(1).locator('.row-link').click();
    await harmless([], 0);
    await escape();
  });
  await check('shown as text: a user who is to be deleted', async () => {
    await open(p, `#/${kid}/users/${users[0]}`);
    await p.getByRole('button', { name: 'Delete', exact: true }).click();
    await harmless([hostile[id.indexOf(users[0])]], 1);
    await escape();
  });
  await check('shown as text: every column of the grid', async () => {
    await open(p, `#/${kid}/data/hostile?query={"_id":"all"}`);
    await p.getByRole('button', { name: /^Columns/ }).click();
    await p.evaluate(() => { for (const box of document.querySelectorAll('.columns-menu input:not(:checked)')) box.click(); });
    await escape();
    await settled(p);
    await harmless(taken.keys, taken.keys.length - 5);
  });
  await check('shown as text: fields, access and JSON of a record with all of them', async () => {
    await open(p, `#/${kid}/data/hostile?id=all`);
    await dialog().getByRole('tab', { name: 'Fields' }).waitFor();
    await harmless(taken.keys, taken.keys.length - 3);
    await p.getByRole('tab', { name: 'Access', exact: true }).click();
    await settled(p);
    await harmless(taken.groups, taken.groups.length - 3);
    await harmless(taken.users, taken.users.length - 3);
    for (const name of ['Who can read', 'Who can write', 'Why?']) {
      await p.getByRole('tab', { name }).click();
      await settled(p);
    }
    await p.getByRole('tab', { name: 'JSON', exact: true }).click();
    await harmless(taken.keys, taken.keys.length - 3);
    await escape();
  });
  await check('shown as text: why a user may, in each question', async () => {
    await open(p, `#/${kid}/data/hostile?id=all`);
    await p.getByRole('tab', { name: 'Access', exact: true }).click();
    await p.getByRole('tab', { name: 'Why?' }).click();
    const name = taken.users.find(u => u.startsWith('<img'));
    await p.getByRole('combobox', { name: 'User', exact: true }).fill(name);
    await p.getByRole('listbox', { name: 'User', exact: true }).getByRole('option').first().click();
    for (const right of ['read', 'write', 'delete', 'acl']) {
      await dialog().getByLabel('Question').selectOption(right);
      await settled(p);
      await harmless([name], 1);
    }
    await escape();
  });
  await check('shown as text: records whose _id is one', async () => {
    for (const text of [...taken.ids.filter((_, n) => n % 12 === 0), '__proto__', 'constructor', 'toString'].filter(t => taken.ids.includes(t))) {
      await open(p, `#/${kid}/data/hostile?query=${segment(JSON.stringify({ _id: text }))}&id=${segment(text)}`);
      await p.getByRole('tab', { name: 'Access', exact: true }).click();
      await settled(p);
      await harmless([text], 1);
      await escape();
      await p.waitForFunction(() => !document.querySelector('dialog') && !location.hash.includes('&id='));
    }
  });
  await check('shown as text: a message of what was done, and a question before it', async () => {
    const text = taken.ids.find(t => t.startsWith('<svg onload'));
    await open(p, `#/${kid}/data/hostile?query=${segment(JSON.stringify({ _id: text }))}&id=${segment(text)}`);
    await p.getByRole('tab', { name: 'Access', exact: true }).click();
    const group = taken.groups.find(g => g.startsWith('<iframe'));
    await p.getByRole('combobox', { name: 'Add people or groups' }).fill(group);
    await p.getByRole('listbox', { name: 'Add people or groups' }).getByRole('option').first().click();
    await p.getByRole('button', { name: 'Save access' }).click();
    await p.getByText(`Access of ${text} saved`).waitFor();
    await harmless([text, group], 2);
    await p.getByRole('tab', { name: 'Fields' }).click();
    await p.getByRole('button', { name: 'Delete', exact: true }).click();
    await harmless([text], 1);
    await p.getByRole('button', { name: 'Delete', exact: true }).last().click();
    await p.getByText(`${text} was deleted`).waitFor();
    await harmless([text], 1);
  });
  await check('shown as text: what the server says of a wrong query, address or name', async () => {
    seen.allow(400, /./);
    for (const text of hostile.filter((_, n) => n % 9 === 0)) {
      await open(p, `#/${kid}/data/hostile?query=${segment(JSON.stringify({ text: { [`$${text}`]: text } }))}&sort=${segment(text)}`);
      await harmless([], 0);
    }
    for (const text of hostile.filter((_, n) => n % 17 === 0)) {
      for (const to of [`#/${segment(text)}/data`, `#/${kid}/${segment(text)}`, `#/${kid}/data/${segment(text)}`, `#/${kid}/users/${segment(text)}`, `#/${kid}/groups/${segment(text)}`, `#${text}`, `#/${text}`]) {
        await p.goto(`${page}${to}`);
        await settled(p);
        await harmless([], 0);
      }
    }
    await p.goto(page);
  });
  await check('an export is the records and nothing else', async () => {
    await open(p, `#/${kid}/data/hostile`);
    await p.getByRole('button', { name: 'More' }).click();
    const [download] = await Promise.all([p.waitForEvent('download'), p.getByRole('menuitem', { name: /^Export/ }).click()]);
    const lines = fs.readFileSync(await download.path(), 'utf8').trim().split('\n').map(l => JSON.parse(l));
    assert.equal(lines.length, hostile.length + taken.ids.length); // all, less the one that was deleted
    assert.match(download.suggestedFilename(), /^[\w.-]+$/);
    await harmless([], 0);
  });
  await check('no page complained', () => seen.none());
});
