// Users: the list, and the page of one: what the user sees, sessions, groups.
import { api, env, mayEdit, path } from './api.js';
import { share } from './chart.js';
import { clear, h } from './dom.js';
import { forgetNames, learn } from './names.js';
import { go, href, note } from './route.js';
import { act, endAll, sessionTable } from './sessions.js';
import { ago, alert, badge, button, card, code, confirm, confirmTyped, count, dialog, empty, errorBox, facts, field, fill, levelBadge, loading, page, pager, plural, searchBox, table, toast } from './ui.js';

/** @typedef {import('./route.js').Context} Context */
/** @typedef {{_id: string, username: string, email?: string, created: string, lastLogin?: string, suspended: boolean, locked: boolean, sessions: number, groups: number}} Row */

/** @param {{suspended?: boolean, locked?: boolean}} u */
export function stateBadge({ suspended, locked }) {
  if (suspended) return badge('Suspended', { kind: 'bad', icon: 'ban', title: 'No login is possible; the data stays.' });
  if (locked) return badge('Locked down', { kind: 'bad', icon: 'lock', title: 'No login is possible, and devices remove what they hold of the user.' });
  return badge('Active', { kind: 'ok', icon: 'check' });
}

/** @param {HTMLElement} main @param {Context} ctx */
export async function show(main, ctx) {
  if (ctx.args[0]) await showUser(main, ctx, ctx.args[0]);
  else await showList(main, ctx);
}

/** @param {HTMLElement} main @param {Context} ctx */
async function showList(main, ctx) {
  const limit = 50;
  const list = h('div', { class: 'stack' });
  const body = page(main, {
    title: 'Users', sub: 'Everybody who has an account in this app.',
    actions: mayEdit(ctx) && button('New user', { kind: 'primary', icon: 'plus', onclick: () => create(ctx) }),
  });
  const change = (/** @type {Record<string, any>} */ p) => { note(ctx, p); load(); };
  body.append(h('div', { class: 'toolbar' }, searchBox({ label: 'Name begins with', value: ctx.params.get('prefix') ?? '', onsearch: (prefix) => change({ prefix, skip: '' }) })), list);
  const load = () => fill(list, async () => {
    const prefix = ctx.params.get('prefix') ?? '';
    const skip = Number(ctx.params.get('skip')) || 0;
    const got = await api.get(env(ctx.kid, 'users'), { params: { prefix, skip, limit }, signal: ctx.signal });
    learn(ctx.kid, got.list);
    if (!got.count) {
      return prefix ? empty({ icon: 'search', title: `No name begins with “${prefix}”`, text: 'Names are looked up by their beginning, and capitals count.' })
        : empty({ icon: 'users', title: 'This app has no users yet', text: 'An app signs its users up with the app secret; here is how it sounds.', line: signUpLine(ctx) });
    }
    return [
      h('p', { class: 'quiet', role: 'status' }, plural(got.count, 'user'), prefix && ` whose name begins with “${prefix}”`),
      table({
        label: 'Users', rows: /** @type {Row[]} */ (got.list), href: (u) => href(ctx.kid, 'users', [u._id]),
        columns: [
          { label: 'Name', cell: (u) => u.username },
          { label: 'State', cell: stateBadge },
          { label: 'Email', cell: (u) => u.email ?? '' },
          { label: 'Sessions', class: 'number', cell: (u) => count(u.sessions) },
          { label: 'Groups', class: 'number', cell: (u) => count(u.groups) },
          { label: 'Last login', cell: (u) => (u.lastLogin ? ago(u.lastLogin) : h('span', { class: 'quiet' }, 'never')) },
          { label: 'Created', cell: (u) => ago(u.created) },
        ],
      }),
      pager({ skip, limit, shown: got.list.length, total: got.count, go: (n) => change({ skip: n || '' }) }),
    ];
  }, ctx.signal);
  await load();
}

/** @param {Context} ctx */
function signUpLine(ctx) {
  return `curl -u ${ctx.kid}:APP_SECRET -H 'Content-Type: application/json' \\\n  -d '{"username":"alice","password":"…"}' '${ctx.origin}/user/${ctx.kid}'`;
}

/** @param {Context} ctx */
function create(ctx) {
  const name = h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', required: true });
  const password = h('input', { type: 'password', autocomplete: 'new-password' });
  const email = h('input', { type: 'email', autocomplete: 'off' });
  dialog({
    title: 'New user', signal: ctx.signal,
    body: [field('Name', name), field('Password', password, 'Empty: the server makes one and shows it once.'), field('Email', email, 'It may stay empty.')],
    actions: [{
      label: 'Create user', kind: 'primary',
      run: async (close) => {
        const made = await api.post(path('user', ctx.kid), { username: name.value || undefined, password: password.value || undefined, email: email.value || undefined });
        forgetNames(ctx.kid);
        close();
        // What a sign-up opens is an app's session, and there is no app here.
        await api.del(path('user', ctx.kid, made._id, 'tokens')).catch(() => {});
        if (!password.value && made.password) await onceShown('Password of the new user', made.username, made.password, ctx.signal);
        go(href(ctx.kid, 'users', [made._id]));
      },
    }],
  });
}

/**
 * Shows a secret that is never shown again.
 * @param {string} title
 * @param {string} of
 * @param {string} secret
 * @param {AbortSignal} signal
 */
export function onceShown(title, of, secret, signal) {
  return dialog({
    title, signal, cancel: 'I have it',
    body: [alert('warn', h('p', { class: 'alert-title' }, 'This is shown once.'), h('p', null, 'The server keeps only a hash of it. Copy it now, to where it is safe.')),
      h('p', null, h('strong', null, of)), code(secret, title)],
  }).closed;
}

/** @param {HTMLElement} main @param {Context} ctx @param {string} id */
async function showUser(main, ctx, id) {
  const crumbs = [h('a', { href: href(ctx.kid, 'users') }, 'Users')];
  const again = () => { if (!ctx.signal.aborted) showUser(main, ctx, id); };
  let user, told;
  if (!main.childElementCount) clear(main, loading());
  try {
    user = await api.get(path('user', ctx.kid, id), { signal: ctx.signal });
    told = await api.get(env(ctx.kid, 'users', user.username), { signal: ctx.signal }).catch(() => ({}));
  } catch (e) {
    if (ctx.signal.aborted) return;
    page(main, { title: id, crumbs }).append(errorBox(e));
    return;
  }
  if (ctx.signal.aborted) return;
  const status = user._kmd?.status?.val;
  const state = { suspended: status === 'disabled', locked: status === 'lockedDown' };
  learn(ctx.kid, [user]);
  const body = page(main, {
    title: [user.username, stateBadge(state)], crumbs,
    actions: [h('a', { class: 'button', href: seeAs(ctx, user._id) }, 'See as this user'), ...(mayEdit(ctx) ? actions(ctx, user, state, again) : [])],
  });
  body.append(
    facts([
      ['Id', h('code', null, user._id)], ['Email', user.email ?? h('span', { class: 'quiet' }, 'none')],
      ['Created', ago(user._kmd?.ect)], ['Changed', ago(user._kmd?.lmt)], ['Last login', told.lastLogin ? ago(told.lastLogin) : h('span', { class: 'quiet' }, 'never')],
    ]),
    h('div', { class: 'halves' }, sees(ctx, user), groupsOf(ctx, user)),
    sessionsOf(ctx, user, again),
    fieldsOf(user));
}

/**
 * The address where data is seen as the user.
 * @param {Context} ctx
 * @param {string} id
 */
export function seeAs(ctx, id) { return href(ctx.kid, 'data', [], { as: id }); }

/**
 * @param {Context} ctx
 * @param {any} user
 * @param {{suspended: boolean, locked: boolean}} state
 * @param {() => void} again
 */
function actions(ctx, user, state, again) {
  const at = (/** @type {string[]} */ ...rest) => path('user', ctx.kid, user._id, ...rest);
  const suspend = async () => {
    const yes = await confirm({ title: `Suspend ${user.username}`, danger: true, action: 'Suspend', body: h('p', null, 'The user is logged out everywhere and cannot log in until restored. Data and rights stay as they are.') });
    if (yes) await act(() => api.del(`${at()}?soft=true`), `${user.username} is suspended.`, again);
  };
  const remove = async () => {
    const yes = await confirmTyped({
      title: `Delete ${user.username}`, action: 'Delete for good', word: user.username,
      body: [alert('warn', h('p', { class: 'alert-title' }, 'This cannot be undone.'), h('p', null, 'The account and its sessions are gone. Records that the user created stay, with a creator who is no more. To keep the account, suspend it instead.'))],
      run: () => api.del(`${at()}?hard=true`),
    });
    if (!yes) return;
    forgetNames(ctx.kid);
    toast(`${user.username} is deleted.`);
    go(href(ctx.kid, 'users'));
  };
  return [
    button('Edit', { icon: 'pencil', onclick: () => edit(ctx, user, again) }),
    button('Set password', { icon: 'key', onclick: () => setPassword(ctx, user) }),
    state.locked && button('End lockdown', { icon: 'unlock', onclick: () => act(() => api.post(path('rpc', ctx.kid, 'lockdown-user'), { userId: user._id, setLockdownStateTo: false }), `${user.username} may log in again.`, again) }),
    state.suspended ? button('Restore', { icon: 'refresh', onclick: () => act(() => api.post(at('_restore')), `${user.username} may log in again.`, again) })
      : button('Suspend', { icon: 'ban', onclick: suspend }),
    button('Delete', { kind: 'danger', icon: 'trash', onclick: remove }),
  ];
}

/** @param {Context} ctx @param {any} user @param {() => void} again */
function edit(ctx, user, again) {
  const name = h('input', { type: 'text', value: user.username, autocomplete: 'off', spellcheck: 'false' });
  const email = h('input', { type: 'email', value: user.email ?? '', autocomplete: 'off' });
  dialog({
    title: `Edit ${user.username}`, signal: ctx.signal,
    body: [field('Name', name, 'Records and groups know a user by the id, so a new name changes no right.'), field('Email', email)],
    actions: [{
      label: 'Save', kind: 'primary',
      run: async (close) => {
        const { _kmd, ...rest } = user;
        await api.put(path('user', ctx.kid, user._id), { ...rest, username: name.value, email: email.value || undefined });
        forgetNames(ctx.kid);
        close();
        toast('Saved.');
        again();
      },
    }],
  });
}

/** @param {Context} ctx @param {any} user */
function setPassword(ctx, user) {
  const password = h('input', { type: 'password', autocomplete: 'new-password', required: true });
  dialog({
    title: `Set password of ${user.username}`, signal: ctx.signal,
    body: [field('New password', password), h('p', { class: 'hint' }, 'All sessions of the user end.')],
    actions: [{
      label: 'Set password', kind: 'primary',
      run: async (close) => {
        await api.put(env(ctx.kid, 'users', user.username, 'password'), { password: password.value });
        close();
        toast(`${user.username} has a new password.`);
      },
    }],
  });
}

/** @param {Context} ctx @param {any} user */
function sees(ctx, user) {
  const body = h('div', { class: 'stack tight' });
  fill(body, async () => {
    const got = await api.get(env(ctx.kid, 'visible'), { params: { user: user._id }, signal: ctx.signal });
    return [visibleTable(ctx, got, user._id)];
  }, ctx.signal);
  return card({ title: 'Can read', sub: 'Records of each collection, as the server decides now.' }, body);
}

/**
 * How much of each collection a user reads.
 * @param {Context} ctx
 * @param {{account?: string, collections: {name: string, level: string, readable: number, entities: number}[]}} got
 * @param {string} id
 */
export function visibleTable(ctx, got, id) {
  const all = got.collections.filter((c) => c.name !== 'user');
  return [
    got.account && alert('warn', h('p', null, `The account is ${got.account}: the user is let in nowhere, and reads nothing.`)),
    all.length ? table({
      label: 'What the user can read', rows: all, href: (c) => href(ctx.kid, 'data', [c.name], { filter: 'readable', user: id }),
      columns: [
        { label: 'Collection', cell: (c) => c.name },
        { label: 'Level', cell: (c) => levelBadge(c.level) },
        { label: 'Reads', class: 'number', cell: (c) => `${count(c.readable)} of ${count(c.entities)}` },
        { label: h('span', { class: 'sr' }, 'Share'), cell: (c) => share(c.readable, c.entities) },
      ],
    }) : h('p', { class: 'quiet' }, 'The app has no collection yet.'),
  ];
}

/** @param {Context} ctx @param {any} user */
function groupsOf(ctx, user) {
  const body = h('div', { class: 'stack tight' });
  fill(body, async () => {
    const got = await api.get(env(ctx.kid, 'visible'), { params: { user: user._id }, signal: ctx.signal });
    const groups = /** @type {{_id: string, path: string[]}[]} */ (got.groups ?? []);
    if (!groups.length) return h('p', { class: 'quiet' }, 'In no group.');
    return table({
      label: 'Groups of the user', rows: groups, href: (g) => href(ctx.kid, 'groups', [g._id]),
      columns: [{ label: 'Group', cell: (g) => g._id }, { label: 'Through', cell: (g) => trail([...g.path.slice(1), user.username], 'itself') }],
    });
  }, ctx.signal);
  return card({ title: 'Groups', sub: 'Every group that counts the user in, itself or by a group inside it.' }, body);
}

/**
 * A way through groups; direct is said when there is nothing between.
 * @param {string[]} path
 * @param {string} direct
 */
export function trail(path, direct) {
  if (path.length <= 1) return h('span', { class: 'quiet' }, direct);
  return h('span', { class: 'trail' }, path.map((p, i) => [i > 0 && h('span', { class: 'trail-arrow' }, '→'), h('span', null, p)]));
}

/** @param {Context} ctx @param {any} user @param {() => void} again */
function sessionsOf(ctx, user, again) {
  const body = h('div', { class: 'stack tight' });
  const buttons = h('div', { class: 'row' });
  const load = () => fill(body, async () => {
    const got = await api.get(env(ctx.kid, 'sessions'), { params: { user: user._id, limit: 20 }, signal: ctx.signal });
    clear(buttons, got.count > 0 && mayEdit(ctx) && button('End all', { icon: 'out', 'aria-label': `End all sessions of ${user.username}`, onclick: () => endAll(ctx, user, () => { load(); }) }));
    if (!got.count) return h('p', { class: 'quiet' }, 'Not logged in anywhere.');
    return [sessionTable(ctx, got.list, () => { load(); }, { user: false }), got.count > got.list.length && h('a', { href: href(ctx.kid, 'sessions', [], { user: user._id }) }, `All ${count(got.count)} sessions`)];
  }, ctx.signal);
  load();
  return card({ title: 'Sessions', actions: buttons }, body);
}

/** @param {any} user */
function fieldsOf(user) {
  const { _id, username, email, _kmd, ...rest } = user;
  return card({ title: 'Record', sub: 'The other fields, and the _acl that says who may read them.' }, code(JSON.stringify(rest, null, 2), 'Record of the user'));
}
