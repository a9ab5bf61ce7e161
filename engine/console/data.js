// The Data page: the collections of an app, and the records of one of them.
import { api, env, mayEdit } from './api.js';
import { h } from './dom.js';
import { button, count, dialog, empty, field, levelBadge, levels, page, plural, table, toast } from './ui.js';
import { go, href } from './route.js';
import { userPicker } from './names.js';
import { showCollection } from './collection.js';

/** @typedef {import('./route.js').Context} Context */

/**
 * @param {HTMLElement} main
 * @param {Context} ctx
 */
export async function show(main, ctx) {
  if (ctx.args.length) return showCollection(main, ctx, ctx.args[0]);
  const list = await (ctx.seenAs ? visible(ctx) : all(ctx));
  if (ctx.signal.aborted) return;
  const edit = mayEdit(ctx) && !ctx.seenAs;
  const body = page(main, {
    title: 'Data', sub: list.length ? `${plural(list.length, 'collection')} of this app` : 'The collections of this app',
    actions: [!ctx.seenAs && button('See as a user', { icon: 'eye', onclick: () => seeAs(ctx) }), edit && list.length > 0 && button('Create collection', { kind: 'primary', icon: 'plus', onclick: () => createCollection(ctx) })],
  });
  if (!list.length) {
    body.append(empty({
      icon: 'data', title: 'There is no collection yet',
      text: 'A collection is made with its first record, by a user of the app or by the master, or here.',
      line: `curl -u USER:PASSWORD -H 'Content-Type: application/json' \\\n  -d '{"text":"hello"}' '${ctx.origin}/appdata/${encodeURIComponent(ctx.kid)}/notes'`,
      actions: edit && button('Create collection', { kind: 'primary', icon: 'plus', onclick: () => createCollection(ctx) }),
    }));
    return;
  }
  body.append(table({
    label: 'Collections', rows: list, href: (c) => c.name === 'user' ? href(ctx.kid, 'users') : href(ctx.kid, 'data', [c.name], { as: ctx.seenAs }),
    columns: [
      { label: 'Name', cell: (c) => c.name },
      { label: 'Level', cell: (c) => levelBadge(c.level) },
      ...(ctx.seenAs ? [{ label: 'This user reads', class: 'number', cell: (/** @type {any} */ c) => `${count(c.readable)} of ${count(c.entities)}` }] : [
        { label: 'Records', class: 'number', cell: (/** @type {any} */ c) => count(c.entities) },
        { label: 'Override the level', class: 'number', cell: (/** @type {any} */ c) => c.overrides && c.name !== 'user' ? h('a', { href: href(ctx.kid, 'data', [c.name], { filter: 'overrides' }) }, count(c.overrides)) : count(c.overrides) }]),
    ],
    actions: ctx.seenAs ? undefined : (c) => h('a', { class: 'button small', href: href(ctx.kid, 'settings', [c.name]), 'aria-label': `Settings of ${c.name}` }, 'Settings'),
  }));
}

/**
 * @param {Context} ctx
 * @returns {Promise<any[]>}
 */
async function all(ctx) { return api.get(env(ctx.kid, 'collections'), { params: { counts: true }, signal: ctx.signal }); }

/**
 * @param {Context} ctx
 * @returns {Promise<any[]>}
 */
async function visible(ctx) {
  return (await api.get(env(ctx.kid, 'visible'), { params: { user: ctx.seenAs }, signal: ctx.signal })).collections.filter((/** @type {any} */ c) => c.name !== 'user' && c.name !== 'group');
}

/** Asks as whom the data is to be seen. @param {Context} ctx */
export function seeAs(ctx) {
  const d = dialog({
    title: 'See as a user', size: '',
    body: [h('p', null, 'Shows the data with the rights of one user, exactly as the app gets it. Nothing can be changed meanwhile.'),
      field('User', userPicker(ctx.kid, { label: 'User', chosen: (u) => { d.close(); go(href(ctx.kid, 'data', ctx.args, { as: u.id })); } }))],
  });
}

/** @param {Context} ctx */
function createCollection(ctx) {
  const name = h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', placeholder: 'notes' });
  const level = h('select', null, levels.map((l) => h('option', { value: l.wire }, `${l.name} (${l.long})`)));
  const text = h('p', { class: 'hint' }, levels[0].text);
  level.addEventListener('change', () => { text.textContent = levels[level.selectedIndex].text; });
  dialog({
    title: 'Create collection', signal: ctx.signal,
    body: [field('Name', name, 'As the app calls it: letters, digits, - and _.'), field('Level', level), text],
    actions: [{
      label: 'Create collection', kind: 'primary',
      run: async (close) => {
        const n = name.value.trim();
        if (!n) { name.focus(); throw new Error('A collection needs a name.'); }
        await api.post(env(ctx.kid, 'collections'), { name: n, permissions: level.value });
        close();
        toast(`The collection ${n} was created`);
        go(href(ctx.kid, 'data', [n]));
      },
    }],
  });
}

