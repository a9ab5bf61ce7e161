// The Settings page of a collection: its level, what it remembers, its orders, its end.
import { api, env, mayEdit } from './api.js';
import { clear, h, icon, uid } from './dom.js';
import { alert, button, card, confirmTyped, count, dialog, empty, field, levelBadge, levelOf, levels, page, plural, table, toast, toggle } from './ui.js';
import { go, href } from './route.js';
import { levelIn } from './collection.js';
import { effectView } from './effect.js';
import { ordersCard } from './orders.js';

/** @typedef {import('./route.js').Context} Context */
/** @typedef {{name: string, level: string, entities?: number, overrides?: number, deltaSet?: {enabled: boolean, deletedTTLInDays: number}}} About */

/**
 * @param {HTMLElement} main
 * @param {Context} ctx
 */
export async function show(main, ctx) {
  if (ctx.args.length) return showSettings(main, ctx, ctx.args[0]);
  const list = await api.get(env(ctx.kid, 'collections'), { params: { counts: true }, signal: ctx.signal });
  if (ctx.signal.aborted) return;
  const body = page(main, { title: 'Settings', sub: 'What users of the app may do with a collection by default, and what it keeps.' });
  body.append(list.length ? table({
    label: 'Collections', rows: list, href: (c) => href(ctx.kid, 'settings', [c.name]),
    columns: [{ label: 'Collection', cell: (c) => c.name }, { label: 'Level', cell: (c) => levelBadge(c.level) },
      { label: 'What it means', class: 'quiet', cell: (c) => levelOf(c.level).long },
      { label: 'Override it', class: 'number', cell: (c) => `${count(c.overrides)} of ${count(c.entities)}` }],
  }) : empty({ icon: 'settings', title: 'There is no collection yet', text: 'Each collection has its settings here, as soon as there is one.', line: `curl -u USER:PASSWORD -H 'Content-Type: application/json' \\\n  -d '{"text":"hello"}' '${ctx.origin}/appdata/${encodeURIComponent(ctx.kid)}/notes'` }));
}

/**
 * @param {HTMLElement} main
 * @param {Context} ctx
 * @param {string} name
 */
async function showSettings(main, ctx, name) {
  const about = await describe(ctx, name);
  if (ctx.signal.aborted) return;
  const again = () => showSettings(main, ctx, name);
  const body = page(main, {
    crumbs: [h('a', { href: href(ctx.kid, 'settings') }, 'Settings')], title: [name, levelBadge(about.level)],
    actions: h('a', { class: 'button', href: href(ctx.kid, 'data', [name]) }, 'Show records'),
  });
  body.append(levelCard(ctx, about, again), deltaCard(ctx, about, again), ordersCard(ctx, name));
  if (mayEdit(ctx) && name !== 'user') body.append(endCard(ctx, about));
}

/** @param {Context} ctx @param {string} name @returns {Promise<About>} */
async function describe(ctx, name) {
  const [one, list] = await Promise.all([
    api.get(env(ctx.kid, 'collections', name), { signal: ctx.signal }),
    api.get(env(ctx.kid, 'collections'), { params: { counts: true }, signal: ctx.signal })]);
  const counted = list.find((/** @type {any} */ c) => c.name === name) ?? {};
  return { ...one, entities: counted.entities, overrides: counted.overrides, name, level: levelIn(one) };
}

/**
 * What a level means in sentences.
 * @param {string} level
 */
function sentences(level) {
  switch (levelOf(level).name) {
    case 'Private': return ['Signed-in users read only the records they created.', 'Signed-in users create records, and change and delete their own.'];
    case 'Read Only': return ['Any signed-in user can read every record.', 'Nobody but the master creates, changes or deletes records.'];
    case 'Full': return ['Any signed-in user can read every record.', 'Any signed-in user can create, change and delete every record.'];
  }
  return ['Any signed-in user can read every record.', 'Signed-in users create records, and change and delete their own.'];
}

/** @param {Context} ctx @param {About} about @param {() => any} again */
function levelCard(ctx, about, again) {
  const current = levelOf(about.level);
  let chosen = current;
  const edit = mayEdit(ctx);
  const group = uid('level'), live = h('div', { class: 'live', 'aria-live': 'polite' });
  const cards = h('div', { class: 'level-cards', role: edit ? 'radiogroup' : 'list', 'aria-label': 'Permission level' }, levels.map((l) => {
    const inside = [h('span', { class: 'level-name' }, icon(l.icon), h('strong', null, l.name), l === current && h('span', { class: 'badge info' }, icon('check'), 'In force')),
      h('span', { class: 'level-long' }, `(${l.long})`), h('span', { class: 'level-text' }, l.text)];
    return edit ? h('label', { class: 'level-card' }, h('input', { type: 'radio', name: group, 'aria-label': `${l.name} (${l.long})`, checked: l === current, onchange: () => { chosen = l; draw(); } }), inside)
      : h('div', { class: `level-card${l === current ? ' current' : ''}`, role: 'listitem' }, inside);
  }));
  function draw() {
    const changed = chosen !== current;
    clear(live, h('ul', { class: 'sentences', role: 'list' }, sentences(chosen.name).map((s) => h('li', null, icon(/^Nobody|only the/.test(s) ? 'lock' : 'globe'), s)),
      about.entities !== undefined && h('li', null, icon('pencil'), about.overrides
        ? h('span', null, h('a', { href: href(ctx.kid, 'data', [about.name], { filter: 'overrides' }) }, `${count(about.overrides)} of ${plural(about.entities, 'record')}`), ' override this.')
        : `None of ${plural(about.entities, 'record')} overrides this.`)),
    changed && h('div', { class: 'row' }, button('Review the change', { kind: 'primary', onclick: review }),
      button('Keep ' + current.name, { onclick: again })));
  }
  async function review() {
    const to = chosen;
    let effect;
    try { effect = await api.post(env(ctx.kid, 'collections', about.name, 'preview'), { level: to.word }, { signal: ctx.signal }); } catch (e) {
      if (!ctx.signal.aborted) dialog({ title: 'The effect cannot be counted' }).fail(e);
      return;
    }
    const save = async () => { await api.put(env(ctx.kid, 'collections', about.name), { permissions: to.wire }); };
    const body = [h('p', null, levelBadge(current.name), ' → ', levelBadge(to.name)),
      h('ul', { class: 'sentences', role: 'list' }, sentences(to.name).map((s) => h('li', null, icon('info'), s))), effectView(ctx.kid, effect)];
    const title = `Change ${about.name} from ${current.name} to ${to.name}`;
    const action = `Change to ${to.name}`;
    const done = to.name === 'Full'
      ? await confirmTyped({ title, action, word: about.name, size: 'wide', run: save, body: [...body, alert('warn', h('p', { class: 'alert-title' }, 'Use with caution'), h('p', null, 'Full allows anyone with access to your app to change and delete any record of this collection.'))] })
      : await dialog({ title, body, size: 'wide', actions: [{ label: action, kind: 'primary', run: async (close) => { await save(); close(true); } }] }).closed;
    if (!done || ctx.signal.aborted) return;
    toast(`${about.name} is ${to.name} now`);
    await again();
  }
  draw();
  return card({ title: 'Permission level', sub: 'What users may do by default. What a single record says goes before it.' }, cards, live,
    !edit && h('p', { class: 'hint' }, `Your role, ${ctx.session.role}, may look at this and not change it.`));
}

/** @param {Context} ctx @param {About} about @param {() => any} again */
function deltaCard(ctx, about, again) {
  const on = about.deltaSet?.enabled === true;
  const title = 'Delta set', sub = 'Lets clients ask only for what changed since they asked last. Deleted records are remembered for some days.';
  if (!mayEdit(ctx)) return card({ title, sub }, h('p', null, icon(on ? 'check' : 'cross'), on ? ` On, for ${plural(about.deltaSet?.deletedTTLInDays ?? 0, 'day')}` : ' Off'));
  const put = async (/** @type {any} */ deltaSet) => {
    await api.put(env(ctx.kid, 'collections', about.name), { deltaSet });
    toast(deltaSet.enabled ? `${about.name} remembers its changes` : `${about.name} no longer remembers its changes`);
    await again();
  };
  const problem = h('div');
  const failed = (/** @type {any} */ e) => clear(problem, alert('error', h('p', { role: 'alert' }, e.debug || e.message)));
  const days = h('input', { type: 'number', min: '1', max: '30', value: String(about.deltaSet?.deletedTTLInDays ?? 15) });
  return card({ title, sub },
    toggle({ label: on ? 'On' : 'Off', hint: on ? 'Switching it off forgets what was remembered: clients load everything anew once.' : '', checked: on, onchange: async (v, input) => { try { await put({ enabled: v }); } catch (e) { input.checked = on; failed(e); } } }),
    on && h('form', { class: 'row', onsubmit: async (/** @type {Event} */ e) => { e.preventDefault(); try { await put({ enabled: true, deletedTTLInDays: Number(days.value) }); } catch (err) { failed(err); } } },
      h('div', { class: 'inline-field' }, field('Days', days)), button('Set days', { type: 'submit' })), problem);
}

/** @param {Context} ctx @param {About} about */
function endCard(ctx, about) {
  return card({
    title: 'Delete collection', sub: `All ${plural(about.entities ?? 0, 'record')} and these settings go with it, for all users at once.`,
    actions: button('Delete collection', {
      kind: 'danger', icon: 'trash', onclick: async () => {
        const done = await confirmTyped({
          title: `Delete ${about.name}?`, action: 'Delete collection', word: about.name,
          body: h('p', null, `${plural(about.entities ?? 0, 'record')} are deleted with it. Only a backup brings them back.`),
          run: () => api.del(env(ctx.kid, 'collections', about.name)),
        });
        if (!done) return;
        toast(`${about.name} was deleted`);
        go(href(ctx.kid, 'data'));
      },
    }),
  });
}
