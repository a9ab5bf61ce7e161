// System: how the server is, its apps, and who operates it.
import { api, mayOwn, path } from './api.js';
import { reloadApps } from './app.js';
import { histogram, span, stacked } from './chart.js';
import { h } from './dom.js';
import { go, href } from './route.js';
import { ago, badge, button, bytes, card, code, confirm, count, dialog, facts, field, fill, page, plural, table, toast } from './ui.js';

/** @typedef {import('./route.js').Context} Context */
/** @typedef {{email: string, role: string, totp: boolean, sessions: number}} Operator */

/** @param {HTMLElement} main @param {Context} ctx */
export async function show(main, ctx) {
  const body = page(main, { title: 'System', sub: 'How the server is, its apps, and who operates it.', actions: button('Load again', { icon: 'refresh', onclick: () => show(main, ctx) }) });
  const state = h('div', { class: 'stack' }), people = h('div', { class: 'stack' });
  body.append(state, people);
  const loadPeople = () => fill(people, () => operators(ctx, loadPeople), ctx.signal);
  await Promise.all([fill(state, async () => server(ctx, await api.get('v4/system', { signal: ctx.signal })), ctx.signal), loadPeople()]);
}

/** @param {Context} ctx @param {any} s */
function server(ctx, s) {
  const latency = s.latency;
  let below = 0;
  const bars = latency.buckets.slice(-40).map((/** @type {[number, number]} */ [le, n]) => {
    const mark = ['p50', 'p90', 'p99'].filter((p) => latency[p] === le).join(' ');
    below += n;
    return { label: span(le), count: n, mark: mark || undefined };
  });
  const answers = [['2xx', 'good'], ['3xx', 'unchanged'], ['4xx', 'refused'], ['5xx', 'failed']].map(([cls, word]) => ({ label: `${word} (${cls})`, count: Number(s.requests[cls] ?? 0), cls: `part-${cls}` }));
  return [
    card({ title: 'Server' }, facts([
      ['Health', s.health.ok && !s.health.broken ? badge('Healthy', { kind: 'ok', icon: 'check' }) : badge('Broken: it takes no more writes', { kind: 'bad', icon: 'warn' })],
      ['Version', h('code', null, `${s.version} (${s.go})`)], ['Started', ago(s.started)],
      ['Memory', `${bytes(s.memory.heap)} in use, ${bytes(s.memory.sys)} from the system`],
      ['Durability', `a sync for ${s.durability.sync}; ${plural(s.durability.seq, 'commit')}`],
      ['Disk', `${bytes(s.durability.free)} free of ${bytes(s.durability.total)}`], ['Orders', s.indexing ? 'being made' : 'all ready'],
    ])),
    h('div', { class: 'halves' },
      card({ title: 'Answers', sub: 'Since the start.' }, stacked(answers, answers.map((a) => `${a.label}: ${a.count}`).join(', ')),
        h('ul', { class: 'legend', role: 'list' }, answers.map((a) => h('li', null, h('strong', null, count(a.count)), ` ${a.label}`)))),
      card({ title: 'Latency', sub: `Half within ${span(latency.p50)}, nine of ten within ${span(latency.p90)}, 99 of 100 within ${span(latency.p99)}.` },
        below > 0 && histogram(bars, `Latency of ${plural(below, 'request')}: half within ${span(latency.p50)}, 99 of 100 within ${span(latency.p99)}`, 440))),
    card({ title: 'Apps', actions: mayOwn(ctx) && button('New app', { icon: 'plus', onclick: () => makeApp(ctx) }) }, table({
      label: 'Apps', rows: /** @type {any[]} */ (s.apps), href: (a) => href(a.id, 'data'),
      columns: [{ label: 'App', cell: (a) => a.name || a.id }, { label: 'Key', class: 'mono', cell: (a) => a.id },
        ...['collections', 'entities', 'users', 'sessions'].map((n) => ({ label: n === 'entities' ? 'Records' : n[0].toUpperCase() + n.slice(1), class: 'number', cell: (/** @type {any} */ a) => count(a[n]) }))],
    })),
  ];
}

/** @param {Context} ctx */
function makeApp(ctx) {
  const name = h('input', { type: 'text', autocomplete: 'off' });
  dialog({
    title: 'New app', signal: ctx.signal, body: [field('Name', name), h('p', { class: 'hint' }, 'Its secrets never come to a browser: make new ones on the server, which prints them once.'), code('postern app regenerate-secret APP app\npostern app regenerate-secret APP master')],
    actions: [{
      label: 'Create app', kind: 'primary', run: async (close) => {
        if (!name.value.trim()) { name.focus(); throw new Error('An app needs a name.'); }
        const made = await api.post('v4/apps', { appName: name.value.trim() });
        await reloadApps();
        close();
        toast(`${name.value.trim()} was created`);
        go(href(made.id ?? '', 'data'));
      },
    }],
  });
}

/** @param {Context} ctx @param {() => any} again */
async function operators(ctx, again) {
  const list = /** @type {Operator[]} */ (await api.get('v4/operators', { signal: ctx.signal }));
  const own = mayOwn(ctx);
  return card({ title: 'Operators', sub: 'A viewer looks, an editor changes what apps hold, an owner everything.', actions: own && button('New operator', { icon: 'plus', onclick: () => makeOperator(ctx, again) }) }, table({
    label: 'Operators', rows: list,
    columns: [{ label: 'Address', cell: (o) => o.email }, { label: 'Role', cell: (o) => badge(o.role) },
      { label: 'Second factor', cell: (o) => (o.totp ? badge('On', { kind: 'ok', icon: 'check' }) : badge('Off', { icon: 'cross' })) }, { label: 'Sessions', class: 'number', cell: (o) => count(o.sessions) }],
    actions: own ? (o) => [button('Change role', { class: 'button small', 'aria-label': `Change role of ${o.email}`, onclick: () => changeRole(ctx, o, again) }),
      button('Remove', { class: 'button small', 'aria-label': `Remove ${o.email}`, onclick: () => remove(o, again) })] : undefined,
  }));
}

/** @param {string} [role] */
function roleField(role = 'viewer') { return h('select', null, ['viewer', 'editor', 'owner'].map((r) => h('option', { value: r, selected: r === role }, r))); }

/** @param {Context} ctx @param {() => any} again */
function makeOperator(ctx, again) {
  const email = h('input', { type: 'email', autocomplete: 'off' }), password = h('input', { type: 'password', autocomplete: 'new-password' }), role = roleField();
  dialog({
    title: 'New operator', signal: ctx.signal, body: [field('E-mail address', email), field('Password', password, 'Tell it to nobody but the operator, who should change it.'), field('Role', role)],
    actions: [{ label: 'Create operator', kind: 'primary', run: async (close) => { await api.post('v4/operators', { email: email.value.trim(), password: password.value, role: role.value }); close(); toast(`${email.value.trim()} may sign in`); again(); } }],
  });
}

/** @param {Context} ctx @param {Operator} o @param {() => any} again */
function changeRole(ctx, o, again) {
  const role = roleField(o.role);
  dialog({
    title: `Change role of ${o.email}`, signal: ctx.signal, body: [field('Role', role), h('p', { class: 'hint' }, 'All sessions of the operator end.')],
    actions: [{ label: 'Change role', kind: 'primary', run: async (close) => { await api.put(path('v4', 'operators', o.email), { role: role.value }); close(); toast(`${o.email} is ${role.value} now`); again(); } }],
  });
}

/** @param {Operator} o @param {() => any} again */
async function remove(o, again) {
  if (!await confirm({ title: `Remove ${o.email}?`, body: h('p', null, 'The operator is signed out everywhere and cannot sign in again.'), action: 'Remove', danger: true })) return;
  try { await api.del(path('v4', 'operators', o.email)); toast(`${o.email} was removed`); again(); } catch (e) { const x = /** @type {any} */ (e); toast([x.description, x.debug].filter(Boolean).join(' '), 'error'); }
}
