// Sessions: who is logged in, with what, since when; and how to end it.
import { api, env, mayEdit, path } from './api.js';
import { h } from './dom.js';
import { learn, userName, userPicker } from './names.js';
import { go, href, note } from './route.js';
import { ago, badge, button, confirm, count, empty, fill, page, pager, plural, table, toast } from './ui.js';

/** @typedef {import('./route.js').Context} Context */
/** @typedef {{id: string, user: {_id: string, username: string}, created: string, lastSeen: string, expires?: string, source: string, device?: string}} Row */

const browsers = [[/\bEdgA?\//, 'Edge'], [/\bOPR\//, 'Opera'], [/Firefox\//, 'Firefox'], [/Chrome\//, 'Chrome'], [/Safari\//, 'Safari']];
const systems = [[/iPhone|iPad|iOS/, 'iOS'], [/Android/, 'Android'], [/Windows/, 'Windows'], [/Mac OS X|Macintosh|Darwin/, 'macOS'], [/Linux/, 'Linux']];

/**
 * A User-Agent as people say it: "Safari on iOS", or the first product it names.
 * @param {string | undefined} agent
 */
export function device(agent) {
  if (!agent) return '';
  const found = (/** @type {any[][]} */ list) => list.find(([re]) => re.test(agent))?.[1];
  const os = found(systems);
  const by = /^Mozilla\//.test(agent) ? found(browsers) ?? 'A browser' : agent.split(/[\s(]/)[0].slice(0, 40);
  return os ? `${by} on ${os}` : by;
}

/**
 * How somebody logged in.
 * @param {string} source
 */
export function sourceBadge(source) {
  const [kind, name] = [source.split(':')[0], source.slice(source.indexOf(':') + 1)];
  switch (kind) {
    case 'mic': return badge(name && name !== 'mic' ? `MIC · ${name}` : 'MIC', { icon: 'identity', title: 'Mobile Identity Connect' });
    case 'password': return badge('Password', { icon: 'key' });
    case 'signup': return badge('Sign-up', { icon: 'user' });
    case 'social': return badge('Social', { icon: 'globe' });
    default: return source ? badge(source) : h('span', { class: 'quiet' }, 'not known');
  }
}

/**
 * The table of sessions; again is called when one was ended.
 * @param {Context} ctx
 * @param {Row[]} rows
 * @param {() => void} again
 * @param {{user?: boolean}} [o] user: with whose they are
 */
export function sessionTable(ctx, rows, again, { user = true } = {}) {
  learn(ctx.kid, rows.map((r) => r.user));
  const end = async (/** @type {Row} */ r) => {
    const yes = await confirm({
      title: 'End this session', danger: true, action: 'End session',
      body: h('p', null, userName(ctx.kid, r.user._id, { known: r.user.username }), ' is logged out ', r.device ? `on ${device(r.device)}` : 'there', ' at once and has to log in again. Other sessions stay.'),
    });
    if (!yes) return;
    await act(() => api.del(env(ctx.kid, 'sessions', r.id)), 'The session is over.', again);
  };
  return table({
    label: 'Sessions', rows,
    columns: [
      ...(user ? [{ label: 'User', cell: (/** @type {Row} */ r) => h('a', { href: href(ctx.kid, 'users', [r.user._id]) }, userName(ctx.kid, r.user._id, { known: r.user.username, icon: true })) }] : []),
      { label: 'Device', cell: (r) => (r.device ? h('span', { title: r.device }, device(r.device)) : h('span', { class: 'quiet' }, 'not told')) },
      { label: 'Logged in by', cell: (r) => sourceBadge(r.source ?? '') },
      { label: 'Last seen', cell: (r) => ago(r.lastSeen) },
      { label: 'Since', cell: (r) => ago(r.created) },
      { label: 'Ends', cell: (r) => (r.expires ? ago(r.expires) : h('span', { class: 'quiet' }, 'with a logout')) },
    ],
    actions: mayEdit(ctx) ? (r) => button('End', { icon: 'out', onclick: () => end(r), 'aria-label': `End session of ${r.user.username} ${device(r.device)}`.trim() }) : undefined,
  });
}

/**
 * Does something and says so; what goes wrong is said, too.
 * @param {() => Promise<any>} fn
 * @param {string} done
 * @param {() => void} [again]
 */
export async function act(fn, done, again) {
  try {
    await fn();
    toast(done);
    again?.();
  } catch (e) {
    const x = /** @type {any} */ (e);
    toast([x.description ?? x.message, x.debug].filter(Boolean).join(' '), 'error');
  }
}

/**
 * Asks, and ends every session of a user.
 * @param {Context} ctx
 * @param {{_id: string, username: string}} user
 * @param {() => void} again
 */
export async function endAll(ctx, user, again) {
  const yes = await confirm({
    title: `End all sessions of ${user.username}`, danger: true, action: 'End all sessions',
    body: h('p', null, 'The user is logged out everywhere at once and has to log in again. Nothing else changes.'),
  });
  if (yes) await act(() => api.del(path('user', ctx.kid, user._id, 'tokens')), `All sessions of ${user.username} are over.`, again);
}

/** @param {HTMLElement} main @param {Context} ctx */
export async function show(main, ctx) {
  const user = ctx.params.get('user') ?? '';
  const limit = 50;
  const body = page(main, { title: 'Sessions', sub: 'Who is logged in to this app, with what and since when. A session ends at once, on every device and in every cache.' });
  const list = h('div', { class: 'stack' });
  const to = (/** @type {string} */ id) => go(href(ctx.kid, 'sessions', [], { user: id }));
  const picker = userPicker(ctx.kid, { label: 'Sessions of', placeholder: 'All users', cleared: () => user && to(''), chosen: (u) => to(u.id) });
  body.append(h('div', { class: 'toolbar' }, picker,
    user && h('span', { class: 'row' }, badge(userName(ctx.kid, user), { icon: 'user' }), button('Show all users', { kind: 'quiet', icon: 'close', onclick: () => to('') }))), list);
  const load = () => fill(list, async () => {
    const skip = Number(ctx.params.get('skip')) || 0;
    const got = await api.get(env(ctx.kid, 'sessions'), { params: { user, skip, limit }, signal: ctx.signal });
    if (!got.count) return nobody(ctx, user);
    const again = () => { load(); };
    return [
      h('div', { class: 'row' }, h('p', { class: 'grow', role: 'status' }, plural(got.count, 'session'), ', the newest first.'),
        user && mayEdit(ctx) && got.list[0] && button(`End all ${count(got.count)}`, { kind: 'danger', icon: 'out', onclick: () => endAll(ctx, got.list[0].user, again) })),
      sessionTable(ctx, got.list, again),
      got.count > limit && pager({ skip, limit, shown: got.list.length, total: got.count, go: (n) => { note(ctx, { skip: n || '' }); load(); } }),
    ];
  }, ctx.signal);
  await load();
}

/** @param {Context} ctx @param {string} user */
function nobody(ctx, user) {
  if (user) return empty({ icon: 'sessions', title: 'No session', text: ['The user is not logged in anywhere. ', h('a', { href: href(ctx.kid, 'users', [user]) }, 'Show the user')] });
  return empty({
    icon: 'sessions', title: 'Nobody is logged in', text: 'A session is made by each login of a user, and shows up here.',
    line: `curl -u ${ctx.kid}:APP_SECRET -H 'Content-Type: application/json' \\\n  -d '{"username":"alice","password":"…"}' '${ctx.origin}/user/${ctx.kid}/login'`,
  });
}
