// Identity: the services of Mobile Identity Connect by which users log in.
import { api, env, mayOwn, path } from './api.js';
import { clear, h, icon } from './dom.js';
import { blank, commonFields, fallbackField, kindName, kinds, mappingFields, providerFields, setAt, textOf, tokenFields, valueAt, valueOf } from './services.js';
import { badge, button, card, code, confirmTyped, dialog, empty, errorBox, facts, field, page, toast } from './ui.js';

/** @typedef {import('./route.js').Context} Context */
/** @typedef {import('./services.js').Field} Field */

/** @param {HTMLElement} main @param {Context} ctx */
export async function show(main, ctx) {
  const [app, services] = await Promise.all([api.get(env(ctx.kid), { signal: ctx.signal }), api.get('v4/auth-services', { signal: ctx.signal })]);
  if (ctx.signal.aborted) return;
  const own = mayOwn(ctx), again = () => { if (!ctx.signal.aborted) show(main, ctx); };
  const mine = /** @type {any[]} */ (services).filter((s) => s.identityStoreId === app.identityStoreId);
  const make = () => chooseKind(ctx, (type) => edit(ctx, { ...blank(type), identityStoreId: app.identityStoreId }, again));
  const body = page(main, { title: 'Identity', sub: 'Mobile Identity Connect: how users log in with an account they have elsewhere.', actions: own && button('New service', { kind: 'primary', icon: 'plus', onclick: make }) });
  if (!mine.length) body.append(empty({ icon: 'identity', title: 'There is no service yet', text: 'A service says where users have their accounts: an OpenID provider, a SAML provider, a directory, or this app itself.', line: 'postern mic --help' }));
  for (const s of mine) {
    body.append(card({
      title: [s.name, ' ', badge(kindName(s.provider.type), { icon: 'identity' }), s.id === app.defaultAuthServiceId && badge('Default', { kind: 'info', icon: 'check' })], sub: s.description,
      actions: own && [button('Test a login', { icon: 'key', 'aria-label': `Test a login by ${s.name}`, onclick: () => test(ctx, s) }), button('Edit', { icon: 'pencil', 'aria-label': `Edit ${s.name}`, onclick: () => edit(ctx, s, again) }),
        button('Delete', { kind: 'danger', icon: 'trash', 'aria-label': `Delete ${s.name}`, onclick: () => remove(s, again) })],
    }, facts([
      ['Id', h('code', null, s.id)], ['Apps come back to', (s.redirectUri ?? []).length ? h('span', { class: 'long-text mono' }, s.redirectUri.join(', ')) : 'nowhere yet'],
      ['PKCE', s.requirePkce ? 'needed' : 'not needed'], ['Password grant', s.allowPasswordGrant ? 'allowed' : 'refused'], ['Access tokens', `${s.tokenTtl} seconds`], ['Refresh tokens', s.refresh ? `${s.refreshTtl} seconds` : 'none'],
    ])));
  }
}

/** @param {Context} ctx @param {(type: string) => void} chosen */
function chooseKind(ctx, chosen) {
  const select = h('select', null, kinds.map(([type, name, text]) => h('option', { value: type }, `${name} – ${text}`)));
  dialog({ title: 'New service', signal: ctx.signal, body: field('Where are the accounts?', select), actions: [{ label: 'Go on', kind: 'primary', run: (close) => { close(); chosen(select.value); } }] });
}

/** A control of a field with the text that it has. @param {Field} f @param {any} v */
function controlOf(f, v) {
  const props = { placeholder: f.example, autocomplete: 'off', spellcheck: 'false' };
  if (f.kind === 'flag') return h('select', null, [['', 'no'], ['true', 'yes']].map(([value, text]) => h('option', { value, selected: (v === true) === (value === 'true') }, text)));
  if (f.kind === 'choice') return h('select', null, (f.choices ?? []).map(([value, text]) => h('option', { value, selected: value === (v ?? '') }, text)));
  if (['lines', 'area', 'map'].includes(f.kind)) return h('textarea', { rows: '3', class: 'mono', value: textOf(f, v), ...props });
  return h('input', { type: f.kind === 'secret' ? 'password' : 'text', value: textOf(f, v), ...props, autocomplete: f.kind === 'secret' ? 'new-password' : 'off' });
}

/** @param {Context} ctx @param {any} service @param {() => void} again */
function edit(ctx, service, again) {
  const fields = [...commonFields, ...(providerFields[service.provider.type] ?? []), ...tokenFields, ...mappingFields, ...(['LDAP', 'AD'].includes(service.provider.type) ? [fallbackField] : [])];
  const controls = fields.map((f) => ({ f, el: controlOf(f, valueAt(service, f)) }));
  const part = (/** @type {string} */ title, /** @type {Field[]} */ list, open = false) => list.length > 0 && h('details', { open }, h('summary', null, title), h('div', { class: 'stack' }, controls.filter((c) => list.includes(c.f)).map((c) => field(c.f.label, c.el, c.f.hint))));
  dialog({
    title: service.id ? `Edit ${service.name}` : `New service: ${kindName(service.provider.type)}`, size: 'wide', signal: ctx.signal,
    body: h('div', { class: 'stack' }, part('Service', commonFields, true), part('Provider', providerFields[service.provider.type] ?? [], true), part('Apps and tokens', tokenFields, !service.id), part('Users and groups', mappingFields)),
    actions: [{
      label: service.id ? 'Save service' : 'Create service', kind: 'primary',
      run: async (close) => {
        const changed = structuredClone(service);
        for (const { f, el } of controls) setAt(changed, f, f.kind === 'flag' ? el.value === 'true' : valueOf(f, el.value));
        if (service.id) await api.put(path('v4', 'auth-services', service.id), changed);
        else await api.post('v4/auth-services', changed);
        close();
        toast(`${changed.name} was saved`);
        again();
      },
    }],
  });
}

/** @param {Context} ctx @param {any} service */
function test(ctx, service) {
  const name = h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false' }), password = h('input', { type: 'password', autocomplete: 'off' }), answer = h('div', { class: 'stack tight', 'aria-live': 'polite' });
  dialog({
    title: `Test a login by ${service.name}`, signal: ctx.signal,
    body: [h('p', null, 'Walks the steps of a login and says where it ends. Nobody is logged in, and the password is not kept.'), field('Name', name, 'Only a directory and the app’s own users are asked by name.'), field('Password', password), answer],
    actions: [{
      label: 'Test', kind: 'primary', run: async () => {
        try {
          const got = await api.post(path('v4', 'auth-services', service.id, 'test'), { username: name.value, password: password.value }, { signal: ctx.signal });
          clear(answer, h('ol', { class: 'rules', role: 'list' }, got.steps.map((/** @type {any} */ s) => h('li', null, icon(s.ok ? 'check' : 'cross'), h('span', null, s.step, s.error && `: ${s.error}`)))),
            badge(got.ok ? 'It works' : got.error ?? 'It does not work', got.ok ? { kind: 'ok', icon: 'check' } : { kind: 'bad', icon: 'cross' }));
        } catch (e) { clear(answer, errorBox(e)); }
      },
    }],
  });
}

/** @param {any} service @param {() => void} again */
async function remove(service, again) {
  const done = await confirmTyped({
    title: `Delete ${service.name}`, word: service.name, action: 'Delete service', body: h('p', null, 'Nobody can log in by it any more. The users and what they own stay.'),
    run: () => api.del(path('v4', 'auth-services', service.id)),
  });
  if (done) { toast(`${service.name} was deleted`); again(); }
}
