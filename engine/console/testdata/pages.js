'use strict';
// Every page and dialog, at two widths and in light and dark: nothing that axe calls
// serious, nothing that makes a phone scroll sideways, a picture of each to look at,
// and the main acts without a mouse.

const fs = require('node:fs');
const { assert, check, inBrowser, kid, open, owner, page, rest, settled, shot, signIn, visitor } = require('./console');
const { make } = require('./world');

const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

// faulty are the rules that a page breaks, with where.
const faulty = p => p.evaluate(async () => {
  const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
  return violations.filter(v => v.impact === 'serious' || v.impact === 'critical')
    .map(v => `${v.impact} ${v.id}: ${v.nodes.slice(0, 4).map(n => `${n.html.slice(0, 160)} (${n.any.concat(n.all, n.none).map(c => c.message).join('; ').slice(0, 160)})`).join(' | ')}`);
});

// sideways are the elements that stick out of the window of a page that scrolls sideways.
const sideways = p => p.evaluate(() => {
  if (document.scrollingElement.scrollWidth <= innerWidth) return [];
  const inside = el => { for (let e = el.parentElement; e && e !== document.body; e = e.parentElement) if (/auto|scroll|hidden|clip/.test(getComputedStyle(e).overflowX)) return true; return false; };
  return [`${document.scrollingElement.scrollWidth} > ${innerWidth}`, ...[...document.querySelectorAll('body *')].filter(el => el.getBoundingClientRect().right > innerWidth + 1 && !inside(el)).slice(0, 5).map(el => el.cloneNode().outerHTML.slice(0, 120))];
});

const looks = [1280, 360].flatMap(width => ['light', 'dark'].map(scheme => ({ width, scheme })));

inBrowser(async (browser) => {
  const { id } = await make(5000);
  await rest('GET', `/appdata/${kid}/watchlist/w1`, undefined, 'Kinvey nobody');
  const { context, page: p, seen } = await visitor(browser);
  await context.addInitScript(axe);

  // see looks at what is shown now, in every look.
  async function see(name) {
    for (const { width, scheme } of looks) {
      await check(`${name}: ${width} ${scheme}`, async () => {
        await p.setViewportSize({ width, height: width === 360 ? 720 : 800 });
        await p.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
        await p.evaluate(() => new Promise((r) => { requestAnimationFrame(() => requestAnimationFrame(r)); }));
        await shot(p, `${name}-${width}-${scheme}`, { fullPage: !(await p.getByRole('dialog').count()) });
        assert.deepEqual(await sideways(p), []);
        // Between the two lie all widths and all colours there are.
        if ((width === 1280) === (scheme === 'light')) assert.deepEqual(await faulty(p), []);
      });
    }
    await p.setViewportSize({ width: 1280, height: 800 });
    await p.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  }
  const press = (role, name) => p.getByRole(role, { name, exact: typeof name === 'string' }).last().click();
  const type = (role, name, text) => p.getByRole(role, { name, exact: true }).last().fill(text);
  const choose = async (name, text) => {
    await type('combobox', name, text);
    await p.getByRole('listbox', { name, exact: true }).getByRole('option').first().click();
  };

  await p.goto(page);
  await p.getByLabel('E-mail address').waitFor();
  await see('login');
  await signIn(p);

  // Each view: its name, its address, and what is done there before it is looked at.
  for (const [name, where, ...acts] of [
    ['data', 'data'],
    ['data-create', 'data', () => press('button', 'Create collection')],
    ['data-as', 'data', () => press('button', 'See as a user')],
    ['grid', 'data/orders'],
    ['grid-json', 'data/orders?view=json'],
    ['grid-query', 'data/orders?query={"status":"open"}&sort=-amount'],
    ['grid-error', 'data/orders?query={"status"'],
    ['grid-filter', 'data/orders?filter=overrides'],
    ['grid-columns', 'data/orders', () => press('button', /^Columns/)],
    ['grid-selected', 'data/orders', () => p.getByRole('checkbox').nth(2).check()],
    ['grid-bulk', 'data/orders', () => p.getByRole('checkbox').nth(2).check(), () => press('button', 'Change access')],
    ['grid-create', 'data/orders', () => press('button', 'Create record')],
    ['empty', 'data/drafts'],
    ['seen-as', `data/watchlist?as=${id.bob}`],
    ['record', 'data/orders?id=order-000007'],
    ['record-edit', 'data/orders?id=order-000007', () => press('button', 'Edit')],
    ['record-json', 'data/orders?id=order-000007', () => press('tab', 'JSON')],
    ['record-access', 'data/orders?id=order-000007', () => press('tab', 'Access')],
    ['record-change', 'data/orders?id=order-000007', () => press('tab', 'Access'), () => p.getByRole('radio', { name: 'Always' }).first().check(), () => p.getByRole('button', { name: 'Save access' }).waitFor()],
    ['why', 'data/orders?id=order-000007', () => press('tab', 'Access'), () => press('tab', 'Why?'), () => choose('User', 'erin')],
    ['settings', 'settings'],
    ['settings-one', 'settings/orders'],
    ['settings-effect', 'settings/orders', () => p.getByRole('radio', { name: /^Private/ }).check(), () => press('button', 'Review the change')],
    ['settings-full', 'settings/orders', () => p.getByRole('radio', { name: /^Full/ }).check(), () => press('button', 'Review the change')],
    ['users', 'users'],
    ['users-create', 'users', () => press('button', 'New user')],
    ['user', `users/${id.alice}`],
    ['user-delete', `users/${id.alice}`, () => press('button', 'Delete')],
    ['sessions', 'sessions'],
    ['groups', 'groups'],
    ['group', 'groups/sales'],
    ['group-everyone', 'groups/everyone'],
    ['access', 'access'],
    ['access-who', 'access', () => press('tab', 'Who can?'), () => p.getByRole('combobox', { name: 'Collection' }).selectOption('orders'), () => p.getByLabel('Record (_id)').fill('order-000007'), () => press('button', 'List them')],
    ['access-findings', 'access', () => press('tab', 'Findings')],
    ['identity', 'identity'],
    ['identity-new', 'identity', () => press('button', 'New service'), () => press('button', /^OpenID Connect/)],
    ['activity', 'activity'],
    ['audit', 'activity?tab=audit'],
    ['system', '/system'],
    ['operator-new', '/system', () => press('button', 'New operator')],
    ['operator-menu', 'data', () => press('button', /^Operator /)],
    ['password', 'data', () => press('button', /^Operator /), () => press('menuitem', 'Change password')],
    ['second-factor', 'data', () => press('button', /^Operator /), () => press('menuitem', 'Set up a second factor')],
  ]) {
    let there = true;
    try {
      await p.goto(`${page}${where.startsWith('/') ? `#${where}` : `#/${kid}/${where}`}`);
      await settled(p);
      for (const act of acts) { await act(); await settled(p); }
    } catch (e) {
      there = false;
      await check(`${name}: it can be reached`, () => { throw e; });
    }
    if (there) await see(name);
    await p.goto('about:blank');
  }
  await check('no page complained', () => seen.none());

  // At 360 px the navigation is behind a button.
  const phone = await visitor(browser, { width: 360, height: 720, hasTouch: true, isMobile: true });
  await signIn(phone.page);
  await check('a phone: the navigation opens, leads somewhere, and closes', async () => {
    await phone.page.getByRole('button', { name: 'Open the navigation' }).tap();
    const nav = phone.page.getByRole('dialog', { name: 'Navigation' });
    await shot(phone.page, 'navigation-360-light');
    await nav.getByRole('link', { name: 'Groups' }).tap();
    await phone.page.getByRole('heading', { name: 'Groups', level: 1 }).waitFor();
    await nav.waitFor({ state: 'detached' });
  });
  await check('a phone: no page complained', () => phone.seen.none());

  // Without a mouse.
  const keys = await visitor(browser);
  const k = keys.page;
  const focused = () => k.evaluate(() => {
    const el = document.activeElement;
    return `${el.getAttribute('aria-label') || el.labels?.[0]?.textContent || el.textContent || el.tagName}`.trim();
  });
  // tab presses a key until something has the focus.
  const tab = async (name, key = 'Tab') => {
    const passed = [];
    for (let i = 0; i < 120; i += 1) {
      const now = await focused();
      if (typeof name === 'string' ? now === name : name.test(now)) return;
      passed.push(now.slice(0, 30));
      await k.keyboard.press(key);
    }
    assert.fail(`${name} is out of reach: ${passed.join(', ')}`);
  };
  await check('keyboard: sign in', async () => {
    await k.goto(page);
    await k.getByLabel('E-mail address').waitFor();
    assert.equal(await focused(), 'E-mail address');
    await k.keyboard.type(owner.email);
    await k.keyboard.press('Tab');
    await k.keyboard.type(owner.password);
    await k.keyboard.press('Enter');
    await k.getByRole('heading', { name: 'Data', level: 1 }).waitFor();
    await settled(k);
  });
  await check('keyboard: the first thing leads past the navigation', async () => {
    await k.evaluate(() => { document.activeElement.blur(); });
    await k.keyboard.press('Tab');
    assert.equal(await focused(), 'Skip to the page');
    await k.keyboard.press('Enter');
    assert.equal(await k.evaluate(() => document.activeElement.id), 'main');
  });
  await check('keyboard: open a collection and a record', async () => {
    await tab('orders');
    await k.keyboard.press('Enter');
    await k.getByRole('heading', { name: /^orders/, level: 1 }).waitFor();
    await settled(k);
    await tab('order-000000');
    await k.keyboard.press('ArrowDown');
    assert.equal(await focused(), 'order-000001');
    await k.keyboard.press('Enter');
    await k.getByRole('dialog', { name: 'order-000001' }).waitFor();
    await settled(k);
  });
  await check('keyboard: the focus stays in the dialog', async () => {
    for (let i = 0; i < 40; i += 1) {
      await k.keyboard.press('Tab');
      assert(await k.evaluate(() => document.activeElement === document.body || document.querySelector('dialog[open]').contains(document.activeElement)), 'the focus is behind the dialog');
    }
  });
  await check('keyboard: change who has access, and save it', async () => {
    await tab('Fields');
    await k.keyboard.press('ArrowRight');
    await settled(k);
    assert.equal(await focused(), 'Access');
    await tab('Add people or groups');
    await k.keyboard.type('sal');
    await k.getByRole('option', { name: /sales/ }).waitFor();
    await k.keyboard.press('ArrowDown');
    await k.keyboard.press('Enter');
    await k.getByRole('button', { name: 'Save access' }).waitFor();
    await tab('Save access');
    await k.keyboard.press('Enter');
    await k.getByText('Access of order-000001 saved').waitFor();
    const { body } = await rest('GET', `/appdata/${kid}/orders/order-000001`);
    assert.deepEqual(body._acl.groups, { r: ['sales'] });
  });
  await check('keyboard: Escape closes, and the focus is where it was', async () => {
    await settled(k);
    await k.keyboard.press('Escape');
    await k.getByRole('dialog').waitFor({ state: 'detached' });
    await settled(k);
    assert.equal(await focused(), 'order-000001');
  });
  await check('keyboard: the operator’s menu opens, moves and closes', async () => {
    await tab(/^Operator /, 'Shift+Tab');
    await k.keyboard.press('Enter');
    assert.equal(await focused(), 'Change password');
    await k.keyboard.press('ArrowDown');
    assert.equal(await focused(), 'Set up a second factor');
    await k.keyboard.press('Escape');
    assert.match(await focused(), /^Operator /);
  });
  await check('keyboard: no page complained', () => keys.seen.none());
});
