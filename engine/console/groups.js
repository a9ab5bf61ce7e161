// Groups: the list and the tree; what one is like is in group.js.
import { api, env, mayEdit, path } from './api.js';
import { h } from './dom.js';
import { showGroup } from './group.js';
import { go, href, note } from './route.js';
import { badge, button, choice, count, dialog, empty, field, fill, page, pager, plural, searchBox, table, toast } from './ui.js';

/** @typedef {import('./route.js').Context} Context */
/** @typedef {{_id: string, members: number, everyone: boolean, users: number, groups: string[], usedBy: number}} Row */

const limit = 50;
const most = 2000; // groups of a tree

/** @param {HTMLElement} main @param {Context} ctx */
export async function show(main, ctx) {
  if (ctx.args[0]) await showGroup(main, ctx, ctx.args[0]);
  else await showAll(main, ctx);
}

/** @param {HTMLElement} main @param {Context} ctx */
async function showAll(main, ctx) {
  const tree = ctx.params.get('as') === 'tree';
  const body = page(main, {
    title: 'Groups', sub: 'Records name groups in their _acl. Who joins a group or leaves it gains or loses what the group may, at once.',
    actions: mayEdit(ctx) && button('New group', { kind: 'primary', icon: 'plus', onclick: () => create(ctx) }),
  });
  const list = h('div', { class: 'stack' });
  const change = (/** @type {Record<string, any>} */ p) => { note(ctx, p); load(); };
  body.append(h('div', { class: 'toolbar' },
    searchBox({ label: 'Id begins with', value: ctx.params.get('prefix') ?? '', onsearch: (prefix) => change({ prefix, skip: '' }) }),
    choice({
      label: 'Show as', value: tree ? 'tree' : '', onchange: (v) => change({ as: v, skip: '' }),
      options: [{ value: '', label: 'List', icon: 'menu' }, { value: 'tree', label: 'Tree', icon: 'groups' }],
    })), list);
  const load = () => fill(list, async () => {
    const prefix = ctx.params.get('prefix') ?? '';
    const asTree = ctx.params.get('as') === 'tree';
    const skip = asTree ? 0 : Number(ctx.params.get('skip')) || 0;
    const got = await api.get(env(ctx.kid, 'groups'), { params: { prefix: asTree ? '' : prefix, skip, limit: asTree ? most : limit }, signal: ctx.signal });
    if (!got.count) {
      return prefix ? empty({ icon: 'search', title: `No id begins with “${prefix}”` })
        : empty({ icon: 'groups', title: 'This app has no groups yet', text: 'A group is a set of users and of other groups that records can be shared with.', line: `curl -u ${ctx.kid}:MASTER_SECRET -X PUT -H 'Content-Type: application/json' \\\n  -d '{"users":{"list":[{"_id":"USER_ID"}]}}' '${ctx.origin}/group/${ctx.kid}/sales'` });
    }
    const rows = /** @type {Row[]} */ (got.list);
    if (asTree) return [h('p', { class: 'quiet', role: 'status' }, plural(got.count, 'group'), got.count > most && `, of which ${count(most)} are shown`), forest(ctx, rows, prefix)];
    return [
      h('p', { class: 'quiet', role: 'status' }, plural(got.count, 'group')),
      table({
        label: 'Groups', rows, href: (g) => href(ctx.kid, 'groups', [g._id]),
        columns: [
          { label: 'Group', cell: (g) => g._id },
          { label: 'Members', cell: (g) => size(g) },
          { label: 'Users in it', class: 'number', cell: (g) => count(g.users) },
          { label: 'Groups in it', cell: (g) => (g.groups.length ? some(g.groups) : h('span', { class: 'quiet' }, 'none')) },
          { label: 'Named by', class: 'number', cell: (g) => (g.usedBy ? plural(g.usedBy, 'record') : h('span', { class: 'quiet' }, 'no record')) },
        ],
      }),
      pager({ skip, limit, shown: rows.length, total: got.count, go: (n) => change({ skip: n || '' }) }),
    ];
  }, ctx.signal);
  await load();
}

/** A few ids, and how many more. @param {string[]} ids */
function some(ids) { return ids.slice(0, 3).join(', ') + (ids.length > 3 ? ` and ${ids.length - 3} more` : ''); }

/** How many are in a group. @param {Row} g */
function size(g) {
  if (g.everyone) return badge(`Everyone (${count(g.members)})`, { kind: 'warn', icon: 'globe' });
  if (g.members === 0) return badge('Nobody', { icon: 'ban' });
  return plural(g.members, 'user');
}

/**
 * Groups inside groups. One that is in several stands below each; one that holds
 * itself, by whatever way, is said to and not followed.
 * @param {Context} ctx
 * @param {Row[]} rows
 * @param {string} prefix shows the trees only that have such a group
 */
function forest(ctx, rows, prefix) {
  const byId = new Map(rows.map((g) => [g._id, g]));
  const inside = new Set(rows.flatMap((g) => g.groups));
  const roots = rows.filter((g) => !inside.has(g._id));
  const seen = new Set();
  /** @param {string} id */
  const reach = (id) => { if (seen.has(id)) return; seen.add(id); byId.get(id)?.groups.forEach(reach); };
  roots.forEach((g) => reach(g._id));
  // What is in a circle has no root: its first is taken.
  for (const g of rows) if (!seen.has(g._id)) { roots.push(g); reach(g._id); }
  /** @type {(id: string, way: Set<string>) => boolean} */
  const has = (id, way) => !way.has(id) && (id.startsWith(prefix) || (byId.get(id)?.groups ?? []).some((x) => has(x, new Set([...way, id]))));
  const shown = prefix ? roots.filter((g) => has(g._id, new Set())) : roots;
  if (!shown.length) return empty({ icon: 'search', title: `No id begins with “${prefix}”` });
  /**
   * @param {string} id
   * @param {string[]} way
   * @returns {HTMLElement}
   */
  const branch = (id, way) => {
    const g = byId.get(id);
    const line = h('span', { class: 'tree-line' },
      h('a', { href: href(ctx.kid, 'groups', [id]), class: id.startsWith(prefix) && prefix ? 'found' : '' }, id),
      g ? size(g) : badge('No such group', { kind: 'bad', icon: 'warn' }),
      g && g.usedBy > 0 && h('span', { class: 'quiet' }, `named by ${plural(g.usedBy, 'record')}`));
    if (way.includes(id)) return h('li', null, h('span', { class: 'tree-line' }, h('span', { class: 'mono' }, id), badge('holds itself', { kind: 'warn', icon: 'refresh' })));
    if (!g?.groups.length || way.length > 20) return h('li', null, line);
    const open = h('details', { open: way.length < 2 }, h('summary', null, line), h('ul', null, g.groups.map((x) => branch(x, [...way, id]))));
    return h('li', { class: 'has' }, open);
  };
  return h('ul', { class: 'tree card', 'aria-label': 'Groups inside groups' }, shown.map((g) => branch(g._id, [])));
}

/** @param {Context} ctx */
function create(ctx) {
  const id = h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', required: true });
  dialog({
    title: 'New group', signal: ctx.signal,
    body: [field('Id', id, 'Apps and records call the group by it, so a short word is best. It stays.'), h('p', { class: 'hint' }, 'Members are added on the next page.')],
    actions: [{
      label: 'Create group', kind: 'primary',
      run: async (close) => {
        const name = id.value.trim();
        if (!name) throw new Error('A group needs an id.');
        const taken = await api.get(path('group', ctx.kid, name)).then(() => true, (e) => { if (e.status !== 404) throw e; return false; });
        if (taken) throw new Error(`There is a group ${name} already.`);
        await api.put(path('group', ctx.kid, name), { users: { list: [] }, groups: [] });
        close();
        toast(`The group ${name} is made.`);
        go(href(ctx.kid, 'groups', [name]));
      },
    }],
  });
}
