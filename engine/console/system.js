// System: how the server is, its apps and keys, its operators, and the own account.
import { changePassword, secondFactor } from './account.js';
import { api, mayOwn, path } from './api.js';
import { reloadApps } from './app.js';
import { histogram, span, stacked } from './chart.js';
import { h } from './dom.js';
import { operatorsCard } from './operators.js';
import { href } from './route.js';
import { ago, alert, badge, button, bytes, card, code, confirmTyped, count, dialog, facts, field, fill, iconButton, menu, page, plural, table, toast, toggle } from './ui.js';
import { onceShown } from './users.js';

/** @typedef {import('./route.js').Context} Context */

/** @param {HTMLElement} main @param {Context} ctx */
export async function show(main, ctx) {
  const body = page(main, { title: 'System', sub: 'The server, its apps, and who operates it.' });
  const now = h('div', { class: 'stack' });
  const apps = h('div', { class: 'stack' });
  body.append(now, apps, operatorsCard(ctx), accountCard(ctx), commandsCard());
  /** @type {any} */
  let system;
  await fill(now, async () => {
    system = await api.get('v4/system', { signal: ctx.signal });
    return [stateCard(system), h('div', { class: 'halves' }, latencyCard(system, Math.min(main.clientWidth - 80, 520)), requestsCard(system))];
  }, ctx.signal);
  const again = () => fill(apps, async () => appsCard(ctx, system, again), ctx.signal);
  await again();
}

/** @param {any} s */
function stateCard(s) {
  const { durability: d, health, memory } = s;
  const space = d.space && d.space !== 'plenty';
  return card({ title: 'Server', sub: `Postern ${s.version || 'of no version'}, ${s.go}` },
    health.broken && alert('error', h('p', { class: 'alert-title' }, 'The store has failed.'), h('p', null, 'Nothing is written any more. What was acknowledged is on disk. Look into the log, and start the server again.')),
    facts([
      ['Health', health.ok ? badge('Serving', { kind: 'ok', icon: 'check' }) : badge('Failed', { kind: 'bad', icon: 'warn' })],
      ['Running since', ago(s.started)],
      ['Durability', d.sync === 'each commit' ? badge('Every commit', { kind: 'ok', icon: 'check', title: 'What is written is synced to disk before anybody is answered.' }) : badge(d.sync === 'none' ? 'In memory only' : 'Not known', { kind: 'warn', icon: 'warn' })],
      ['Commits', count(d.seq)],
      ['Disk', d.total ? [`${bytes(d.free)} of ${bytes(d.total)} free`, space && badge(`Space is ${d.space}`, { kind: 'warn', icon: 'warn' })] : h('span', { class: 'quiet' }, 'not known')],
      ['Memory', [`${bytes(memory.heap)} in use, ${bytes(memory.sys)} taken`]],
      ['Index', s.indexing ? badge('Being made anew', { icon: 'clock' }) : badge('Ready', { kind: 'ok', icon: 'check' })],
    ]));
}

/** @param {any} s @param {number} width */
function latencyCard(s, width) {
  const { p50, p90, p99, buckets } = s.latency;
  if (!buckets.length) return card({ title: 'Time of requests' }, h('p', { class: 'quiet' }, 'Nobody has asked anything yet.'));
  const marked = new Map([[p99, 'p99'], [p90, 'p90'], [p50, 'p50']]);
  const bars = buckets.map((/** @type {[number, number]} */ [most, n]) => ({ label: span(most), count: n, mark: marked.get(most) }));
  return card({ title: 'Time of requests', sub: 'Since the start. Half took no longer than p50, 99 of 100 no longer than p99.' },
    histogram(bars, `Half of the requests took at most ${span(p50)}, 90 % at most ${span(p90)}, 99 % at most ${span(p99)}.`, Math.max(width, 240)),
    facts([['p50', span(p50)], ['p90', span(p90)], ['p99', span(p99)]]));
}

const classes = [['2xx', 'Answered'], ['3xx', 'Led elsewhere, or unchanged'], ['4xx', 'Refused'], ['5xx', 'Failed']];

/** @param {any} s */
function requestsCard(s) {
  const parts = classes.map(([name, label]) => ({ label, name, cls: `part-${name}`, count: s.requests[name] ?? 0 }));
  return card({ title: 'Requests', sub: 'Since the start, by their answer.' },
    stacked(parts, parts.map((p) => `${p.label}: ${count(p.count)}`).join(', ')),
    facts(parts.map((p) => [`${p.label} (${p.name})`, count(p.count)])));
}

/** @param {Context} ctx @param {any} system @param {() => any} again */
async function appsCard(ctx, system, again) {
  /** @type {any[]} */
  const list = await api.get('v4/apps', { signal: ctx.signal });
  const own = mayOwn(ctx);
  const sizes = new Map((system?.apps ?? []).map((/** @type {any} */ a) => [a.id, a]));
  const rows = list.flatMap((a) => a.environments.map((/** @type {any} */ e) => ({ app: a, env: e, size: sizes.get(e.id) })));
  const size = (/** @type {any} */ r, /** @type {string} */ what) => r.size ? count(r.size[what]) : '–';
  return card({ title: 'Apps', sub: 'Each app has environments with a key, data and users of their own.', actions: own && button('Create app', { icon: 'plus', kind: 'primary', onclick: () => makeApp(ctx, again) }) },
    rows.length > 0 && table({
      label: 'Apps and environments', rows, href: (r) => href(r.env.id, 'data'),
      columns: [
        { label: 'Key', cell: (r) => h('span', { class: 'mono' }, r.env.id) }, { label: 'App', cell: (r) => r.app.name }, { label: 'Environment', cell: (r) => r.env.name },
        { label: 'Collections', class: 'number', cell: (r) => size(r, 'collections') }, { label: 'Records', class: 'number', cell: (r) => size(r, 'entities') },
        { label: 'Users', class: 'number', cell: (r) => size(r, 'users') }, { label: 'Sessions', class: 'number', cell: (r) => size(r, 'sessions') }],
      actions: own ? (r) => menu(iconButton('more', `More for ${r.env.id}`), () => [
        { label: 'Change settings', icon: 'settings', run: () => settings(ctx, r.env, again) },
        { label: 'New app secret', icon: 'key', run: () => newSecret(ctx, r.env.id) },
        { label: 'Add environment', icon: 'plus', run: () => makeEnvironment(ctx, r.app, again) },
        null,
        { label: 'Delete environment', icon: 'trash', danger: true, run: () => removeEnvironment(r, again) },
      ]) : undefined,
    }),
    rows.length === 0 && h('p', { class: 'quiet' }, 'There is no app yet.'),
    !own && h('p', { class: 'hint' }, `Apps are for owners; your role is ${ctx.session.role}.`));
}

/** @param {Context} ctx @param {any} made */
async function showMade(ctx, made) {
  await onceShown('The app secret', `Environment ${made.id}`, made.appSecret, ctx.signal);
}

/** @param {Context} ctx @param {() => any} again */
function makeApp(ctx, again) {
  const name = h('input', { type: 'text', maxlength: '200', required: true });
  dialog({
    title: 'Create app', signal: ctx.signal, body: [field('Name', name), alert('info', h('p', null, 'It begins with the environment Development. The master secret does not come to a browser: '), h('code', null, 'postern app regenerate-secret KEY master'))],
    actions: [{
      label: 'Create app', kind: 'primary', run: async (close) => {
        const made = await api.post('v4/apps', { name: name.value.trim() });
        close();
        await showMade(ctx, made.environments[0]);
        await reloadApps();
        again();
      },
    }],
  });
}

/** @param {Context} ctx @param {any} app @param {() => any} again */
function makeEnvironment(ctx, app, again) {
  const name = h('input', { type: 'text', maxlength: '200', required: true, placeholder: 'Staging' });
  dialog({
    title: `Add an environment to ${app.name}`, signal: ctx.signal, body: field('Name', name),
    actions: [{
      label: 'Add environment', kind: 'primary', run: async (close) => {
        const made = await api.post(path('v4', 'apps', app.id, 'environments'), { name: name.value.trim() });
        close();
        await showMade(ctx, made);
        await reloadApps();
        again();
      },
    }],
  });
}

/** @param {any} r @param {() => any} again */
async function removeEnvironment(r, again) {
  const done = await confirmTyped({
    title: `Delete ${r.env.id}`, word: r.env.id, action: 'Delete environment',
    body: [h('p', null, `${r.app.name} / ${r.env.name} goes with `, r.size ? `${plural(r.size.entities, 'record')} and ${plural(r.size.users, 'user')}` : 'all its records and users', '. A backup is the only way back.'), code('postern backup FILE')],
    run: () => api.del(path('v4', 'environments', r.env.id)),
  });
  if (!done) return;
  toast(`${r.env.id} is gone`);
  await reloadApps();
  again();
}

/** @param {Context} ctx @param {string} kid */
async function newSecret(ctx, kid) {
  const overlap = h('select', null, [['0', 'at once'], ['3600', 'in an hour'], ['86400', 'in a day'], ['604800', 'in a week']].map(([v, t]) => h('option', { value: v }, t)));
  const got = await dialog({
    title: 'New app secret', signal: ctx.signal,
    body: [h('p', null, 'Apps that have the secret of ', h('code', null, kid), ' need the new one to sign up and log in.'), field('The old one ends', overlap)],
    actions: [{ label: 'Make new secret', kind: 'primary', run: async (close) => close(await api.post(path('v4', 'environments', kid, 'regenerate-appsecret'), { overlapSeconds: Number(overlap.value) })) }],
  }).closed;
  if (got) await onceShown('The app secret', `Environment ${kid}`, got.appSecret, ctx.signal);
}

/** The switches of an environment. @type {[string, string, string][]} */
const switches = [
  ['passwordPolicy', 'Refuse weak passwords', 'At least 8 characters, and none that everybody tries.'],
  ['hideUnreadable', 'Hide what may not be read', 'A record that a user may not read answers as if it were not there.'],
  ['strictAcl', 'Strict _acl', 'Who may not change an _acl and sends another one is refused; otherwise it is passed over.'],
  ['refuseLookAlikes', 'Refuse look-alike user names', 'Names that cannot be told apart by eye are taken.'],
];

/** @param {Context} ctx @param {any} e @param {() => any} again */
function settings(ctx, e, again) {
  /** @type {Record<string, any>} */
  const change = {};
  const name = h('input', { type: 'text', value: e.name, maxlength: '200' });
  const idle = h('input', { type: 'number', min: '0', value: String(e.sessionIdleTimeout) });
  const most = h('input', { type: 'number', min: '0', value: String(e.sessionTimeoutInSeconds) });
  const origins = h('textarea', { rows: '3', spellcheck: 'false', value: e.corsOrigins.join('\n') });
  dialog({
    title: `Settings of ${e.id}`, size: 'wide', signal: ctx.signal,
    body: [field('Name', name),
      switches.map(([key, label, hint]) => toggle({ label, hint, checked: e[key] === true, onchange: (on) => { change[key] = on; } })),
      toggle({ label: 'Users may make groups', hint: 'Otherwise only the master makes them.', checked: e.groupCreation === 'users', onchange: (on) => { change.groupCreation = on ? 'users' : 'master'; } }),
      field('Sessions end after so many seconds without use', idle, '0: never'), field('Sessions end after so many seconds', most, '0: never'),
      field('Pages that may use the API (CORS)', origins, 'One origin a line, such as https://app.example.org.')],
    actions: [{
      label: 'Save settings', kind: 'primary', run: async (close) => {
        if (name.value !== e.name) change.name = name.value;
        if (idle.value !== String(e.sessionIdleTimeout)) change.sessionIdleTimeout = Number(idle.value);
        if (most.value !== String(e.sessionTimeoutInSeconds)) change.sessionTimeoutInSeconds = Number(most.value);
        if (origins.value !== e.corsOrigins.join('\n')) change.corsOrigins = origins.value.split('\n').map((o) => o.trim()).filter(Boolean);
        if (Object.keys(change).length > 0) await api.put(path('v4', 'environments', e.id), change);
        close();
        toast('The settings are saved');
        await reloadApps();
        again();
      },
    }],
  });
}

/** @param {Context} ctx */
function accountCard(ctx) {
  const s = ctx.session;
  const state = h('span', null, secondBadge(s.totp));
  const turn = button(s.totp ? 'Switch off' : 'Set up', {
    'aria-label': s.totp ? 'Switch off the second factor' : 'Set up a second factor',
    onclick: async () => {
      s.totp = await secondFactor(s.totp);
      state.replaceChildren(secondBadge(s.totp));
      turn.replaceChildren(s.totp ? 'Switch off' : 'Set up');
      turn.setAttribute('aria-label', s.totp ? 'Switch off the second factor' : 'Set up a second factor');
    },
  });
  return card({ title: 'Your account', sub: `${s.email}, ${s.role}`, actions: button('Change password', { icon: 'key', onclick: changePassword }) },
    facts([['Second factor', [state, ' ', turn]], ['This session ends', [ago(s.until), ', or after ', plural(s.idleSeconds / 60, 'minute'), ' without use']]]));
}

/** @param {boolean} on */
function secondBadge(on) { return on ? badge('On', { kind: 'ok', icon: 'check' }) : badge('Off', { icon: 'cross' }); }

function commandsCard() {
  return card({ title: 'On the server', sub: 'What holds all secrets, or is all data, is done by who is on the machine.' },
    h('p', null, 'A consistent backup, while it serves:'), code('postern backup FILE'),
    h('p', null, 'A new master secret of an app, printed once:'), code('postern app regenerate-secret KEY master'),
    h('p', null, 'Everything derived anew and compared, the audit verified:'), code('postern check'));
}
