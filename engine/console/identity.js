// Identity: the providers that people log in with (Mobile Identity Connect), the stores
// that they belong to, and a login walked step by step.
import { api, env, mayOwn, path } from './api.js';
import { clear, h, icon } from './dom.js';
import { blank, commonFields, fallbackField, kept, kindName, kinds, mappingFields, providerFields, setAt, textOf, tokenFields, valueAt, valueOf } from './services.js';
import { alert, badge, button, card, confirmTyped, dialog, empty, errorBox, field, fill, iconButton, menu, page, table, toast, toggle } from './ui.js';

/** @typedef {import('./route.js').Context} Context */
/** @typedef {import('./services.js').Field} Field */
/** @typedef {{id: string, name: string}} Store */

/** @param {HTMLElement} main @param {Context} ctx */
export async function show(main, ctx) {
  const own = mayOwn(ctx);
  const actions = h('div', { class: 'row' });
  const body = page(main, { title: 'Identity', sub: 'Mobile Identity Connect: people log in with the account that they have.', actions });
  const again = () => fill(body, async () => {
    const [services, stores, here] = await Promise.all([
      api.get('v4/auth-services', { signal: ctx.signal }), api.get('v4/identity-stores', { signal: ctx.signal }), api.get(env(ctx.kid), { signal: ctx.signal })]);
    const p = { services, stores, here, again };
    clear(actions, own && button('New service', { icon: 'plus', kind: 'primary', onclick: () => choose(ctx, p) }));
    return [servicesCard(ctx, p), storesCard(ctx, p), !own && h('p', { class: 'hint' }, `Providers are for owners; your role is ${ctx.session.role}.`)];
  }, ctx.signal);
  await again();
}

/** @typedef {{services: any[], stores: Store[], here: any, again: () => any}} Page */

/** @param {Context} ctx @param {Page} p */
function servicesCard(ctx, p) {
  if (!p.services.length) {
    return empty({
      icon: 'identity', title: 'No provider yet', line: 'postern mic service --help',
      text: 'A service says how people prove who they are: by OpenID Connect, SAML, LDAP or Active Directory.',
    });
  }
  const used = p.here.defaultAuthServiceId;
  return card({ title: 'Auth services', sub: `What ${ctx.kid} uses by default is marked.` }, table({
    label: 'Auth services', rows: p.services,
    columns: [
      { label: 'Name', cell: (s) => [s.name, ' ', s.id === used && badge('Default here', { kind: 'ok', icon: 'check' })] },
      { label: 'Provider', cell: (s) => kindName(s.provider.type) },
      { label: 'Store', cell: (s) => p.stores.find((t) => t.id === s.identityStoreId)?.name ?? h('span', { class: 'quiet' }, 'none') },
      { label: 'Groups', cell: (s) => s.mapping?.groups ? `follow (${s.mapping.groups})` : h('span', { class: 'quiet' }, 'stay as they are') },
      { label: 'client_id', cell: (s) => h('span', { class: 'mono' }, `${ctx.kid}.${s.id}`) }],
    actions: mayOwn(ctx) ? (s) => menu(iconButton('more', `More for ${s.name}`), () => [
      { label: 'Test a login', icon: 'check', run: () => test(ctx, s) },
      { label: 'Change', icon: 'pencil', run: () => edit(ctx, p, s) },
      s.id === used ? null : { label: `Make it the default of ${ctx.kid}`, icon: 'pin', run: () => use(ctx, p, s) },
      null,
      { label: 'Delete service', icon: 'trash', danger: true, run: () => remove(p, s) },
    ].filter((it, i, all) => it || (i > 0 && all[i - 1] !== null))) : undefined,
  }));
}

/** @param {Context} ctx @param {Page} p */
function storesCard(ctx, p) {
  const own = mayOwn(ctx);
  const mine = p.here.identityStoreId;
  return card({ title: 'Identity stores', sub: 'A store gathers services. The environments of a store may use all of them.', actions: own && button('Create store', { icon: 'plus', onclick: () => makeStore(ctx, p) }) },
    p.stores.length === 0 ? h('p', { class: 'quiet' }, 'There is none yet.') : table({
      label: 'Identity stores', rows: p.stores,
      columns: [
        { label: 'Name', cell: (s) => [s.name, ' ', s.id === mine && badge('Used here', { kind: 'ok', icon: 'check' })] },
        { label: 'Services', class: 'number', cell: (s) => String(p.services.filter((x) => x.identityStoreId === s.id).length) },
        { label: 'Id', cell: (s) => h('span', { class: 'mono' }, s.id) }],
      actions: own ? (s) => menu(iconButton('more', `More for the store ${s.name}`), () => [
        s.id === mine ? null : { label: `Use it in ${ctx.kid}`, icon: 'pin', run: () => change(() => api.put(env(ctx.kid), { identityStoreId: s.id }), `${ctx.kid} uses ${s.name}`, p) },
        { label: 'Delete store', icon: 'trash', danger: true, run: () => change(() => api.del(path('v4', 'identity-stores', s.id)), 'The store is gone', p) },
      ].filter((it) => it !== null)) : undefined,
    }));
}

/** @param {() => Promise<any>} fn @param {string} said @param {Page} p */
async function change(fn, said, p) {
  try { await fn(); } catch (e) { dialog({ title: 'Nothing was changed', body: errorBox(e) }); return; }
  toast(said);
  p.again();
}

/** @param {Context} ctx @param {Page} p @param {any} s */
function use(ctx, p, s) {
  const settings = { defaultAuthServiceId: s.id, ...(s.identityStoreId ? { identityStoreId: s.identityStoreId } : {}) };
  return change(() => api.put(env(ctx.kid), settings), `${s.name} is the default of ${ctx.kid}`, p);
}

/** @param {Page} p @param {any} s */
async function remove(p, s) {
  const done = await confirmTyped({
    title: `Delete ${s.name}`, word: s.name, action: 'Delete service',
    body: h('p', null, 'Nobody can log in by it any more, and all sessions that were opened by it end. The users stay.'),
    run: () => api.del(path('v4', 'auth-services', s.id)),
  });
  if (done) { toast(`${s.name} is gone`); p.again(); }
}

/** @param {Context} ctx @param {Page} p */
function makeStore(ctx, p) {
  const name = h('input', { type: 'text', maxlength: '200' });
  dialog({
    title: 'Create identity store', signal: ctx.signal, body: field('Name', name),
    actions: [{ label: 'Create store', kind: 'primary', run: async (close) => { await api.post('v4/identity-stores', { name: name.value.trim() }); close(); toast('The store is made'); p.again(); } }],
  });
}

/** Asks which kind of provider, then for its fields. @param {Context} ctx @param {Page} p */
async function choose(ctx, p) {
  const list = h('div', { class: 'stack tight' });
  const d = dialog({ title: 'New service', signal: ctx.signal, body: [h('p', null, 'How do people prove who they are?'), list] });
  clear(list, kinds.map(([type, name, text]) => h('button', { type: 'button', class: 'menu-item', onclick: () => d.close(type) }, icon('identity'), h('span', { class: 'menu-text' }, name, h('small', null, text)))));
  const type = await d.closed;
  if (type) edit(ctx, p, { ...blank(type), identityStoreId: p.here.identityStoreId ?? '' });
}

/**
 * The control of a field, and what it says at the end.
 * @param {any} service
 * @param {Field} f
 * @returns {{el: HTMLElement, read: () => any}}
 */
function control(service, f) {
  const now = valueAt(service, f);
  if (f.kind === 'flag') {
    let on = now === true;
    return { el: toggle({ label: f.label, hint: f.hint, checked: on, onchange: (v) => { on = v; } }), read: () => (on || now !== undefined ? on : undefined) };
  }
  if (f.kind === 'choice') {
    const select = h('select', null, (f.choices ?? []).map(([v, text]) => h('option', { value: v, selected: v === (now ?? '') }, text)));
    return { el: field(f.label, select, f.hint), read: () => select.value || undefined };
  }
  if (f.kind === 'secret') {
    const there = now !== undefined && now !== '';
    const input = h('input', { type: 'password', autocomplete: 'new-password', placeholder: there ? 'set; empty leaves it as it is' : '' });
    return { el: field(f.label, input, f.hint), read: () => (input.value !== '' ? input.value : there ? kept : undefined) };
  }
  const long = f.kind === 'lines' || f.kind === 'area' || f.kind === 'map';
  const input = long ? h('textarea', { rows: f.kind === 'area' ? '4' : '3', spellcheck: 'false', placeholder: f.example, value: textOf(f, now) })
    : h('input', { type: f.kind === 'number' ? 'number' : 'text', spellcheck: 'false', placeholder: f.example, required: f.required === true, value: textOf(f, now) });
  return { el: field(f.required ? [f.label, ' ', h('span', { class: 'hint' }, '(needed)')] : f.label, input, f.hint), read: () => valueOf(f, input.value) };
}

/** @param {Context} ctx @param {Page} p @param {any} service without an id: a new one */
function edit(ctx, p, service) {
  const draft = structuredClone(service);
  const type = service.provider.type;
  /** @type {{f: Field, read: () => any}[]} */
  const all = [];
  const part = (/** @type {string} */ title, /** @type {Field[]} */ fields, open = false) => fields.length > 0 && h('details', { open, class: 'card' }, h('summary', null, h('strong', null, title)), h('div', { class: 'stack' }, fields.map((f) => {
    const c = control(draft, f);
    all.push({ f, read: c.read });
    return c.el;
  })));
  const stores = h('select', null, h('option', { value: '' }, 'none'), p.stores.map((s) => h('option', { value: s.id, selected: s.id === service.identityStoreId }, s.name)));
  dialog({
    title: service.id ? `Change ${service.name}` : `New service: ${kindName(type)}`, size: 'wide', signal: ctx.signal,
    body: [
      part('Name', commonFields, true), field('Identity store', stores),
      part(kindName(type), providerFields[type] ?? [], true),
      part('Apps and tokens', type === 'LDAP' || type === 'AD' ? [...tokenFields, fallbackField] : tokenFields, !service.id),
      part('What becomes of the user', mappingFields),
      service.id && alert('info', h('p', null, 'What is changed here holds for the next login.')),
    ],
    actions: [{
      label: service.id ? 'Save service' : 'Create service', kind: 'primary',
      run: async (close) => {
        const to = structuredClone(draft);
        for (const { f, read } of all) setAt(to, f, read());
        to.identityStoreId = stores.value;
        delete to.version;
        const made = service.id ? await api.put(path('v4', 'auth-services', service.id), to) : await api.post('v4/auth-services', to);
        close();
        toast(`${made.name} is ${service.id ? 'changed' : 'made'}`);
        p.again();
      },
    }],
  });
}

/** Walks a login and says which step fails. @param {Context} ctx @param {any} s */
function test(ctx, s) {
  const direct = ['LDAP', 'AD', 'local'].includes(s.provider.type);
  const name = h('input', { type: 'text', autocomplete: 'off' }), password = h('input', { type: 'password', autocomplete: 'off' });
  const result = h('div', { 'aria-live': 'polite' });
  dialog({
    title: `Test ${s.name}`, signal: ctx.signal, cancel: 'Close',
    body: [direct ? [h('p', null, 'The password goes to the provider and is not kept.'), field('User name', name), field('Password', password)]
      : h('p', null, 'Asks the provider for what a login needs. A whole login is made in a browser.'), result],
    actions: [{
      label: 'Test', kind: 'primary', run: async () => {
        clear(result);
        const got = await api.post(path('v4', 'auth-services', s.id, 'test'), direct ? { username: name.value, password: password.value } : {}, { signal: ctx.signal });
        clear(result,
          h('ul', { class: 'sentences', role: 'list' }, got.steps.map((/** @type {any} */ t) => h('li', null, icon(t.ok ? 'check' : 'cross'), h('span', null, t.step, t.ok ? ': done' : [': ', h('strong', null, t.error)])))),
          got.ok ? alert('ok', h('p', { class: 'alert-title' }, 'It works.')) : alert('error', h('p', { class: 'alert-title' }, 'It does not work.'), h('p', null, got.error)));
      },
    }],
  });
}
