// The orders of a collection: in which sorts its records stand ready.
import { api, env, mayEdit } from './api.js';
import { h } from './dom.js';
import { ago, badge, button, bytes, card, count, dialog, field, fill, table, toast } from './ui.js';

/** @typedef {import('./route.js').Context} Context */
/** @typedef {{sort: string, state: string, made?: string, bytes?: number, queries?: number, rows?: number, lastUsed?: string}} Order */

/** @type {Record<string, {text: string, kind: '' | 'ok' | 'warn' | 'bad', icon: string}>} */
const states = {
  ready: { text: 'Ready', kind: 'ok', icon: 'check' }, building: { text: 'Being made', kind: '', icon: 'clock' }, wanted: { text: 'Wanted', kind: '', icon: 'clock' },
  rare: { text: 'Too few records have it', kind: '', icon: 'info' }, forbidden: { text: 'Forbidden', kind: 'bad', icon: 'ban' },
};

/**
 * @param {Context} ctx
 * @param {string} name
 */
export function ordersCard(ctx, name) {
  const at = env(ctx.kid, 'collections', name, 'orders');
  const edit = mayEdit(ctx);
  const body = h('div', { class: 'stack tight' });
  const load = () => fill(body, async () => {
    const d = await api.get(at, { signal: ctx.signal });
    /** @type {Order[]} */
    const rows = [...d.orders, ...d.wants];
    for (const sort of d.forbid) if (!rows.some((o) => o.sort === sort)) rows.push({ sort, state: 'forbidden' });
    const put = async (/** @type {any} */ change, /** @type {string} */ said) => {
      try {
        await api.put(at, change);
        toast(said);
        load();
      } catch (e) { dialog({ title: 'The orders stay as they are' }).fail(e); }
    };
    const without = (/** @type {string[]} */ l, /** @type {string} */ s) => l.filter((x) => x !== s);
    return table({
      label: 'Orders', rows,
      columns: [
        { label: 'Sort', cell: (o) => h('span', { class: 'mono' }, o.sort) },
        { label: 'State', cell: (o) => { const s = states[o.state] ?? states.wanted; return badge(s.text, s); } },
        { label: 'Made by', cell: (o) => ({ always: 'always there', pin: 'pinned', use: 'use' })[o.made ?? ''] ?? (o.state === 'forbidden' ? '' : 'queries want it') },
        { label: 'Memory', class: 'number', cell: (o) => o.bytes === undefined ? '' : bytes(o.bytes) },
        { label: 'Queries', class: 'number', cell: (o) => o.queries === undefined ? '' : count(o.queries) },
        { label: 'Last used', cell: (o) => o.lastUsed ? ago(o.lastUsed) : '' }],
      actions: edit ? (o) => {
        if (o.made === 'always') return null;
        const pinned = d.pin.includes(o.sort), barred = d.forbid.includes(o.sort);
        return [
          barred ? null : pinned ? button('Unpin', { class: 'button small', 'aria-label': `Unpin ${o.sort}`, onclick: () => put({ pin: without(d.pin, o.sort) }, `${o.sort} goes when nobody uses it`) })
            : button('Pin', { class: 'button small', 'aria-label': `Pin ${o.sort}`, onclick: () => put({ pin: [...d.pin, o.sort] }, `${o.sort} stays`) }),
          barred ? button('Allow', { class: 'button small', 'aria-label': `Allow ${o.sort}`, onclick: () => put({ forbid: without(d.forbid, o.sort) }, `${o.sort} may be made again`) })
            : button('Forbid', { class: 'button small', 'aria-label': `Forbid ${o.sort}`, onclick: () => put({ pin: without(d.pin, o.sort), forbid: [...d.forbid, o.sort] }, `${o.sort} is never made`) })];
      } : undefined,
    });
  }, ctx.signal);
  load();
  function add() {
    const sort = h('input', { type: 'text', class: 'mono', placeholder: 'cat,-_kmd.lmt', autocomplete: 'off', spellcheck: 'false' });
    dialog({
      title: 'Pin an order', signal: ctx.signal,
      body: [h('p', null, 'Queries with this sort, or with a condition on its first field, are answered from it. It is made in the background and takes memory.'), field('Sort', sort, 'Fields in order, - before one for descending.')],
      actions: [{
        label: 'Pin order', kind: 'primary', run: async (close) => {
          if (!sort.value.trim()) { sort.focus(); throw new Error('Which sort?'); }
          const d = await api.get(at);
          await api.put(at, { pin: [...d.pin, sort.value.trim()] });
          close();
          toast(`${sort.value.trim()} is being made`);
          load();
        },
      }],
    });
  }
  return card({
    title: 'Orders', sub: 'Sorts in which the records stand ready. They make themselves when queries need them; pin one to keep it, forbid one that is not worth its memory.',
    actions: edit && button('Pin an order', { icon: 'pin', onclick: add }),
  }, body);
}
