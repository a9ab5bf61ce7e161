// What a change would do, before it is done: the answer of a preview.
import { h } from './dom.js';
import { userName } from './names.js';
import { alert, badge, count, plural, table } from './ui.js';

/** @typedef {{gain: number, lose: number}} Count */
/** @typedef {{right: 'read' | 'write', gains: boolean, user: {_id: string, username?: string}, users: number, collection: string, _id: string, before: string, after: string}} Sample */
/** @typedef {{users: number, entities: number, read: Count, write: Count, samples: Sample[]}} Effect */

/**
 * Says who gains and who loses what. Pairs of a user and a record are counted.
 * @param {string} kid
 * @param {Effect} e
 */
export function effectView(kid, e) {
  const line = (/** @type {string} */ verb, /** @type {Count} */ c) => h('div', { class: 'effect-line' }, h('strong', null, verb),
    c.gain ? badge(`+ ${count(c.gain)} gained`, { kind: 'warn', icon: 'plus' }) : badge('nobody gains', { icon: 'check' }),
    c.lose ? badge(`− ${count(c.lose)} lost`, { kind: 'bad', icon: 'ban' }) : badge('nobody loses', { icon: 'check' }));
  if (!e.read.gain && !e.read.lose && !e.write.gain && !e.write.lose) {
    return alert('ok', h('p', { class: 'alert-title' }, 'Nobody gains or loses anything.'),
      h('p', null, `Asked of ${plural(e.users, 'user')} and ${plural(e.entities, 'record')}.`));
  }
  return h('div', { class: 'stack tight' },
    h('div', { class: 'effect', 'data-testid': 'effect' }, line('Read', e.read), line('Write', e.write)),
    h('p', { class: 'hint' }, `Counted in pairs of a user and a record, of ${plural(e.users, 'user')} and ${plural(e.entities, 'record')}. Exact; nothing is saved yet.`),
    e.samples.length > 0 && table({
      label: 'Some of those who gain or lose', rows: e.samples,
      columns: [
        { label: 'Who', cell: (s) => [userName(kid, s.user._id, { known: s.user.username }), s.users > 1 && h('span', { class: 'quiet' }, ` and ${count(s.users - 1)} more`)] },
        { label: 'What', cell: (s) => (s.gains ? badge(`gains ${s.right}`, { kind: 'warn', icon: 'plus' }) : badge(`loses ${s.right}`, { kind: 'bad', icon: 'ban' })) },
        { label: 'Record', cell: (s) => h('span', { class: 'mono' }, `${s.collection} / ${s._id}`) },
        { label: 'Before', cell: (s) => s.before },
        { label: 'After', cell: (s) => s.after },
      ],
    }));
}
