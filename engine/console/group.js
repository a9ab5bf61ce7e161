// The page of one group: who is in it, through what, and what a change would do.
import { api, env, mayEdit, path } from './api.js';
import { clear, h } from './dom.js';
import { effectView } from './effect.js';
import { groupName, groupPicker, learn, userName, userPicker } from './names.js';
import { go, href } from './route.js';
import { trail } from './users.js';
import { alert, badge, button, card, code, confirm, confirmTyped, count, dialog, errorBox, fill, iconButton, loading, page, pager, plural, table, toast, toggle } from './ui.js';

/** @typedef {import('./route.js').Context} Context */
/** @typedef {{everyone: boolean, users: string[], groups: string[]}} Members */

/** Who is in a group by its document, in any of the forms that are taken. @param {any} doc @returns {Members} */
function membersOf(doc) {
  const ids = (/** @type {any} */ list) => [...new Set(/** @type {string[]} */ ((Array.isArray(list) ? list : []).map((x) => (typeof x === 'string' ? x : x?._id)).filter(Boolean)))];
  return { everyone: doc.all === true || doc.users?.all === true || doc.users?.isAll === true, users: ids(doc.users?.list), groups: ids(doc.groups) };
}

/**
 * The document with other members; what else it holds stays.
 * @param {any} doc
 * @param {Members} m
 */
function withMembers(doc, m) {
  const { _kmd, all, ...rest } = doc;
  const { isAll, ...users } = doc.users ?? {};
  const ref = (/** @type {string} */ collection) => (/** @type {string} */ id) => ({ _type: 'KinveyRef', _collection: collection, _id: id });
  return { ...rest, users: { ...users, all: m.everyone, list: m.users.map(ref('user')) }, groups: m.groups.map(ref('group')) };
}

/** @param {HTMLElement} main @param {Context} ctx @param {string} id */
export async function showGroup(main, ctx, id) {
  const crumbs = [h('a', { href: href(ctx.kid, 'groups') }, 'Groups')];
  if (!main.childElementCount) clear(main, loading());
  let doc, told;
  try {
    [doc, told] = await Promise.all([
      api.get(path('group', ctx.kid, id), { signal: ctx.signal }),
      api.get(env(ctx.kid, 'groups', id), { params: { limit: 50 }, signal: ctx.signal })]);
  } catch (e) {
    if (!ctx.signal.aborted) page(main, { title: id, crumbs }).append(errorBox(e));
    return;
  }
  if (ctx.signal.aborted) return;
  const again = () => { if (!ctx.signal.aborted) showGroup(main, ctx, id); };
  const now = membersOf(doc);
  const body = page(main, {
    title: [id, now.everyone ? badge('Everyone', { kind: 'warn', icon: 'globe' }) : badge(plural(told.effective.count, 'member'), { icon: 'users' })], crumbs,
    sub: told.parents.length > 0 && ['In ', told.parents.map((/** @type {string} */ p, /** @type {number} */ i) => [i > 0 && ', ', h('a', { href: href(ctx.kid, 'groups', [p]) }, p)]), ', so whoever is in here is in there, too.'],
    actions: mayEdit(ctx) && button('Delete group', { kind: 'danger', icon: 'trash', onclick: () => remove(ctx, id, told.usedBy, told.parents) }),
  });
  body.append(
    h('div', { class: 'halves' }, members(ctx, id, doc, now, again), effective(ctx, id, told.effective)),
    named(ctx, id, told.usedBy), other(doc));
}

/**
 * @param {Context} ctx
 * @param {string} id
 * @param {any} doc
 * @param {Members} now
 * @param {() => void} again
 */
function members(ctx, id, doc, now, again) {
  const draft = { everyone: now.everyone, users: [...now.users], groups: [...now.groups] };
  const may = mayEdit(ctx);
  const body = h('div', { class: 'stack' });
  const bar = h('div', { class: 'draft-bar', role: 'status' });
  const row = (/** @type {HTMLElement} */ name, /** @type {'users' | 'groups'} */ kind, /** @type {string} */ one) => {
    const fresh = !now[kind].includes(one);
    return h('li', { class: fresh ? 'fresh' : '' }, h('a', { href: href(ctx.kid, kind, [one]) }, name), fresh && badge('added', { kind: 'info', icon: 'plus' }),
      may && iconButton('close', `Take ${name.textContent || one} out`, { onclick: () => { draft[kind] = draft[kind].filter((x) => x !== one); draw(); } }));
  };
  const list = (/** @type {'users' | 'groups'} */ kind, /** @type {string} */ none) => {
    const gone = now[kind].filter((x) => !draft[kind].includes(x));
    const name = (/** @type {string} */ x) => (kind === 'users' ? userName(ctx.kid, x, { icon: true }) : groupName(x));
    if (!draft[kind].length && !gone.length) return h('p', { class: 'quiet' }, none);
    return h('ul', { class: 'members' }, draft[kind].map((x) => row(name(x), kind, x)),
      gone.map((x) => h('li', { class: 'gone-row' }, name(x), badge('taken out', { kind: 'warn', icon: 'cross' }),
        iconButton('refresh', 'Put back', { onclick: () => { draft[kind].push(x); draw(); } }))));
  };
  const add = (/** @type {'users' | 'groups'} */ kind, /** @type {string} */ one) => { if (!draft[kind].includes(one)) draft[kind].push(one); draw(); };
  const draw = () => {
    clear(body,
      may ? toggle({
        label: 'Everyone', hint: 'Every user of the app is a member, also who signs up later.', checked: draft.everyone,
        onchange: (on) => { draft.everyone = on; draw(); },
      }) : h('p', null, draft.everyone ? 'Every user of the app is a member.' : 'Members are those below.'),
      draft.everyone && alert('warn', h('p', { class: 'alert-title' }, 'Whatever names this group is open to every user of the app.'),
        h('p', null, 'To let all users read or write a record, gr and gw in its _acl say so more plainly. The lists below do not matter while this is on.')),
      h('section', { class: 'stack tight' }, h('h3', null, `Users (${count(draft.users.length)})`), list('users', 'No user is in it by name.'),
        may && userPicker(ctx.kid, { label: 'Add a user', placeholder: 'Add a user by name', chosen: (u) => add('users', u.id) })),
      h('section', { class: 'stack tight' }, h('h3', null, `Groups inside it (${count(draft.groups.length)})`), list('groups', 'No group is in it.'),
        may && groupPicker(ctx.kid, { label: 'Add a group', placeholder: 'Add a group by id', chosen: (g) => add('groups', g.id) })));
    const n = ['users', 'groups'].reduce((sum, k) => {
      const kind = /** @type {'users' | 'groups'} */ (k);
      return sum + draft[kind].filter((x) => !now[kind].includes(x)).length + now[kind].filter((x) => !draft[kind].includes(x)).length;
    }, Number(draft.everyone !== now.everyone));
    clear(bar, n > 0 && [h('span', { class: 'grow' }, `${plural(n, 'change')}, not saved`), button('Discard', { kind: 'quiet', onclick: again }),
      button('Preview and save', { kind: 'primary', onclick: () => save(ctx, id, withMembers(doc, draft), again) })]);
  };
  draw();
  return card({ title: 'Members', sub: 'Users and groups that the group names.' }, body, bar);
}

/**
 * Shows what the change would do, and does it when that is wanted.
 * @param {Context} ctx
 * @param {string} id
 * @param {any} doc
 * @param {() => void} again
 */
function save(ctx, id, doc, again) {
  const effect = h('div', null);
  fill(effect, async () => effectView(ctx.kid, await api.post(env(ctx.kid, 'preview'), { ...doc, _id: id }, { signal: ctx.signal })), ctx.signal);
  dialog({
    title: `Change the group ${id}`, size: 'wide', signal: ctx.signal,
    body: [h('p', null, 'This is what the change does to everybody’s access:'), effect],
    actions: [{
      label: 'Save group', kind: 'primary',
      run: async (close) => {
        await api.put(path('group', ctx.kid, id), doc);
        close();
        toast(`The group ${id} is changed.`);
        again();
      },
    }],
  });
}

/**
 * @param {Context} ctx
 * @param {string} id
 * @param {{count: number, list: {_id: string, username?: string, path: string[]}[]}} first
 */
function effective(ctx, id, first) {
  const limit = 50;
  const body = h('div', { class: 'stack tight' });
  const view = (/** @type {typeof first} */ got, /** @type {number} */ skip) => {
    learn(ctx.kid, /** @type {any} */ (got.list));
    if (!got.count) return [h('p', { class: 'quiet' }, 'Nobody: what names this group gives nothing to anybody.')];
    return [
      table({
        label: 'Effective members', rows: got.list, href: (u) => href(ctx.kid, 'users', [u._id]),
        columns: [{ label: 'User', cell: (u) => userName(ctx.kid, u._id, { known: u.username, icon: true }) }, { label: 'Through', cell: (u) => trail([...u.path.slice(1), u.username ?? u._id], 'directly') }],
      }),
      got.count > limit && pager({ skip, limit, shown: got.list.length, total: got.count, go: load }),
    ];
  };
  const load = (/** @type {number} */ skip) => {
    fill(body, async () => view((await api.get(env(ctx.kid, 'groups', id), { params: { skip, limit }, signal: ctx.signal })).effective, skip), ctx.signal);
  };
  clear(body, view(first, 0));
  return card({ title: `Effective members (${count(first.count)})`, sub: 'Everybody whom the server counts in, with the way through the groups.' }, body);
}

/** @param {Context} ctx @param {string} id @param {number} usedBy */
function named(ctx, id, usedBy) {
  const body = h('div', { class: 'stack tight' });
  const find = () => fill(body, async () => {
    const all = /** @type {{name: string}[]} */ (await api.get(env(ctx.kid, 'collections'), { signal: ctx.signal }));
    const found = [];
    for (const c of all.filter((x) => x.name !== 'user' && x.name !== 'group')) {
      const got = await api.get(env(ctx.kid, 'collections', c.name, 'entities'), { params: { filter: 'shared', group: id, count: true }, signal: ctx.signal });
      if (got.count) found.push({ name: c.name, count: Number(got.count) });
    }
    if (!found.length) return h('p', { class: 'quiet' }, 'No record of a collection names it any more.');
    return table({
      label: 'Records that name the group', rows: found, href: (c) => href(ctx.kid, 'data', [c.name], { filter: 'shared', group: id }),
      columns: [{ label: 'Collection', cell: (c) => c.name }, { label: 'Records', class: 'number', cell: (c) => count(c.count) }],
    });
  }, ctx.signal);
  return card({
    title: usedBy ? `Named by ${plural(usedBy, 'record')}` : 'Named by no record', sub: usedBy ? 'In the _acl of records of any collection.' : 'It gives nothing to its members yet. Share a record with it on the Data page.',
    actions: usedBy > 0 && button('Show where', { icon: 'search', onclick: find }),
  }, body);
}

/** @param {any} doc */
function other(doc) {
  const { _id, users, groups, all, _kmd, ...rest } = doc;
  return card({ title: 'Record', sub: 'The other fields of the group, and the _acl that says who may change it.' }, code(JSON.stringify(rest, null, 2), 'Record of the group'));
}

/**
 * @param {Context} ctx
 * @param {string} id
 * @param {number} usedBy
 * @param {string[]} parents
 */
async function remove(ctx, id, usedBy, parents) {
  const run = () => api.del(path('group', ctx.kid, id));
  let yes;
  if (usedBy > 0 || parents.length > 0) {
    yes = await confirmTyped({
      title: `Delete the group ${id}`, action: 'Delete group', word: id, run,
      body: alert('warn', h('p', { class: 'alert-title' }, [usedBy > 0 && `${plural(usedBy, 'record')} ${usedBy === 1 ? 'names' : 'name'} it`, parents.length > 0 && `${plural(parents.length, 'group')} ${parents.length === 1 ? 'holds' : 'hold'} it`].filter(Boolean).join(', and ') + '.'),
        h('p', null, 'Its members lose what they have through it, at once. The records keep the id, and whoever makes a group of this id later gets all of it.')),
    });
  } else {
    yes = await confirm({ title: `Delete the group ${id}`, danger: true, action: 'Delete group', body: h('p', null, 'No record and no group names it, so nobody loses anything.') });
    if (yes) {
      try { await run(); } catch (e) { dialog({ title: 'The group was not deleted', body: errorBox(e), signal: ctx.signal }); return; }
    }
  }
  if (!yes) return;
  toast(`The group ${id} is deleted.`);
  go(href(ctx.kid, 'groups'));
}
