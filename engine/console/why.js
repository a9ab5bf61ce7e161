// Why may somebody do something, or why not? And who may? The server answers both with
// the code that enforces it; here it is put into words.
import { api, env } from './api.js';
import { h, icon } from './dom.js';
import { badge, button, fill, levelBadge, pager, plural, table } from './ui.js';
import { groupName, learn, userName } from './names.js';
import { because } from './acl.js';

/** @typedef {import('./dom.js').Child} Child */
/** @typedef {{rule: string, check: string, saw?: any, of?: number, decided?: boolean}} Step */

/** The operations that can be asked about, with their verbs. */
export const rights = [
  { id: 'read', verb: 'read' }, { id: 'write', verb: 'write' }, { id: 'delete', verb: 'delete' },
  { id: 'acl', verb: 'change the access of' }, { id: 'create', verb: 'create records in' },
];

/** The rules in short, as the guide has them. */
const rules = [
  ['R1', 'Every request names who asks; who names nobody may do nothing.'],
  ['R2', 'The master may do everything.'],
  ['R3', 'The app itself may only sign users up and log them in.'],
  ['R4', 'The level of the collection is what users may do by default.'],
  ['R5', 'What an entity says goes before its collection: gr and gw, on or off, hold for all users.'],
  ['R6', 'Readers, writers and groups that are named are added, whatever else holds.'],
  ['R7', 'The creator always reads and writes, and alone changes the access.'],
  ['R8', 'The server sets the creator; only the master names another.'],
  ['R9', 'An update without _acl leaves the stored one.'],
  ['R10', 'Who may write may delete. Writing does not imply reading.'],
  ['R11', 'A grant to a group is a grant to those who are in it now, also through other groups.'],
  ['R12', 'Lists and counts are of exactly what the asker may read.'],
  ['R13', 'Looking users up is the only way to learn of others.'],
];

/** @type {Record<string, string>} */
const checks = {
  master: 'Is it the master?', app: 'Is it the app itself?', user: 'Is it a user of the app?', creator: 'Did this user create it?',
  r: 'Is the user a named reader?', w: 'Is the user a named writer?', 'groups.r': 'Is the user in a group of readers?', 'groups.w': 'Is the user in a group of writers?',
  gr: 'What does the record say of reading by everyone?', gw: 'What does the record say of writing by everyone?', level: 'What does the level of the collection say?',
};

/**
 * The verdict with the rules that led to it.
 * @param {import('./route.js').Context} ctx
 * @param {{user: string, right: string, collection: string, id?: string}} ask  user: an id or a name
 * @returns {HTMLElement}
 */
export function whyPanel(ctx, { user, right, collection, id }) {
  const el = h('div', { class: 'why stack', 'data-testid': 'why' });
  fill(el, async () => {
    const d = await api.get(env(ctx.kid, 'collections', collection, 'why'), { params: { user, right, id }, signal: ctx.signal });
    learn(ctx.kid, [d.user]);
    return panel(ctx, d);
  }, ctx.signal);
  return el;
}

/** @param {import('./route.js').Context} ctx @param {any} d @returns {Child} */
function panel(ctx, d) {
  const name = d.user.username || d.user._id;
  const verb = rights.find((r) => r.id === d.right)?.verb ?? d.right;
  const what = d.right === 'create' ? d.collection : d._id;
  const deciding = d.steps.find((/** @type {Step} */ s) => s.decided);
  const looked = new Set(d.steps.map((/** @type {Step} */ s) => s.rule));
  return [
    h('p', { class: `verdict ${d.allowed ? 'yes' : 'no'}` }, icon(d.allowed ? 'check' : 'cross'),
      h('span', null, h('strong', null, name), d.allowed ? ' can ' : ' cannot ', verb, ' ', h('strong', { class: 'mono' }, what), ', ', because(d), '. ',
        badge(d.rule || 'no rule', { kind: d.allowed ? 'ok' : 'bad' }))),
    d.account && h('p', { class: 'alert warn' }, icon('warn'), `This account is ${d.account}: it is not let in, whatever the record says.`),
    h('div', null, h('h3', null, 'What was looked at, in this order'),
      h('ol', { class: 'steps', role: 'list' }, d.steps.map((/** @type {Step} */ s) => h('li', { class: s.decided ? `step decided ${d.allowed ? 'yes' : 'no'}` : 'step', 'aria-current': s.decided ? 'step' : null },
        h('span', { class: 'step-rule' }, s.rule), h('div', null, h('p', { class: 'step-check' }, checks[s.check] ?? s.check), h('p', { class: 'step-saw' }, saw(ctx, s, d))),
        s.decided && badge('Decided', { kind: d.allowed ? 'ok' : 'bad', icon: d.allowed ? 'check' : 'cross' })))),
      deciding && d.steps.length < 8 && h('p', { class: 'hint' }, 'What comes later was not needed.')),
    d.wouldAllow.length > 0 && h('div', null, h('h3', null, 'What would allow it'), h('p', { class: 'hint' }, 'Each of these alone is enough; those that concern the fewest come first.'),
      h('ul', { class: 'grants', role: 'list' }, d.wouldAllow.map((/** @type {any} */ g) => h('li', null, icon('plus'), h('span', null, grant(ctx, g, d)))))),
    h('details', null, h('summary', null, 'All rules'), h('ol', { class: 'rules', role: 'list' }, rules.map(([n, text]) => h('li', null, h('span', { class: 'step-rule' }, n),
      h('span', null, text), d.rule === n ? badge('Decided', { kind: d.allowed ? 'ok' : 'bad' }) : looked.has(n) ? badge('Looked at') : null)))),
  ];
}

/** @param {import('./route.js').Context} ctx @param {Step} s @param {any} d @returns {Child} */
function saw(ctx, s, d) {
  const user = (/** @type {any} */ u) => userName(ctx.kid, u._id, { known: u.username });
  switch (s.check) {
    case 'master': return 'No, it is a user';
    case 'app': return 'No, it is a user';
    case 'user': return s.saw?._id ? ['Yes: ', user(s.saw)] : 'Nobody who is let in';
    case 'creator': return [s.saw?._id === d.user._id ? 'Yes: ' : 'No, the creator is ', user(s.saw)];
    case 'level': return levelBadge(String(s.saw));
    case 'gr': case 'gw': return { on: 'On: everyone', off: 'Off: nobody who is not named', unset: 'Nothing: it is left to the level' }[String(s.saw)] ?? String(s.saw);
  }
  const list = Array.isArray(s.saw) ? s.saw : [];
  if (!list.length) return 'Nobody is named';
  const more = s.of && s.of > list.length ? ` and ${s.of - list.length} more` : '';
  const group = s.check.startsWith('groups');
  const hit = list.filter((x) => group ? x.path : x._id === d.user._id);
  const rest = list.filter((x) => !hit.includes(x));
  const show = (/** @type {any} */ x) => group ? groupName(x._id) : user(x);
  return [
    hit.map((x) => h('span', { class: 'saw-hit' }, icon('check'), group ? [...x.path, d.user.username || d.user._id].filter((p, i, all) => p !== all[i - 1]).join(' → ') : show(x))),
    rest.length > 0 && h('span', { class: 'saw-rest' }, hit.length ? 'Also named: ' : 'No. Named are: ', rest.slice(0, 20).map((x, i) => [i > 0 && ', ', show(x)]), rest.length > 20 && ` and ${rest.length - 20} more`),
    more];
}

/** @param {import('./route.js').Context} ctx @param {any} g @param {any} d @returns {Child} */
function grant(ctx, g, d) {
  const who = g.user && userName(ctx.kid, g.user._id, { known: g.user.username });
  switch (g.change) {
    case 'r': return ['Name ', who, ' as a reader of this record'];
    case 'w': return ['Name ', who, ' as a writer of this record'];
    case 'groups.r': return ['Name the group ', groupName(g.group), ' as readers of this record'];
    case 'groups.w': return ['Name the group ', groupName(g.group), ' as writers of this record'];
    case 'join': return ['Put ', d.user.username || d.user._id, ' into the group ', groupName(g.group)];
    case 'gr': case 'gw': return [`Set “everyone can ${g.change === 'gr' ? 'read' : 'write'}” of this record to `, g.to === 'on' ? 'Always' : 'Follow collection', h('span', { class: 'quiet' }, g.to === 'on' ? ' (all users)' : '')];
    case 'level': return ['Set the level of the collection to ', levelBadge(g.to), h('span', { class: 'quiet' }, ' (all records)')];
    case 'creator': return ['Make ', who, ' the owner of this record'];
  }
  return String(g.change);
}

/**
 * Who may read or write a record, by pages, each with the reason.
 * @param {import('./route.js').Context} ctx
 * @param {{collection: string, id: string, right: string, why?: (user: {_id: string, username?: string}) => void}} o why: asked for the rules of one of them
 * @returns {HTMLElement}
 */
export function whoCanList(ctx, { collection, id, right, why }) {
  const el = h('div', { class: 'stack tight', 'data-testid': `who-can-${right}` });
  const limit = 20;
  const show = (/** @type {number} */ skip) => fill(el, async () => {
    const d = await api.get(env(ctx.kid, 'collections', collection, 'who-can'), { params: { id, right, skip, limit }, signal: ctx.signal });
    learn(ctx.kid, d.list.map((/** @type {any} */ x) => x.user));
    const verb = rights.find((r) => r.id === right)?.verb ?? right;
    return [
      h('p', { class: 'hint' }, `${plural(d.count, 'user')} of ${plural(d.users, 'user')} can ${verb} it.`),
      d.list.length > 0 && table({
        label: `Who can ${verb}`, rows: d.list,
        columns: [
          { label: 'User', cell: (x) => userName(ctx.kid, x.user._id, { icon: true, known: x.user.username }) },
          { label: 'Reason', class: 'reason', cell: (x) => [badge(x.rule), ' ', because(x)] }],
        actions: why && ((x) => button('Why?', { class: 'button small', 'aria-label': `Why can ${x.user.username || x.user._id} ${verb} it?`, onclick: () => why(x.user) })),
      }),
      d.count > limit && pager({ skip, limit, shown: d.list.length, total: d.count, go: show }),
    ];
  }, ctx.signal);
  show(0);
  return el;
}
