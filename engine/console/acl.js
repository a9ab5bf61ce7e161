// What an _acl says, for people. Who may what is decided by the server alone.
import { h, icon } from './dom.js';
import { levelOf } from './ui.js';
import { userName } from './names.js';

/**
 * An _acl with nothing left out; gr and gw undefined follow the collection.
 * @typedef {{creator: string, gr: boolean | undefined, gw: boolean | undefined, r: string[], w: string[], groups: {r: string[], w: string[]}}} Acl
 */
/** @typedef {{_id: string, _acl?: any, _kmd?: any, [field: string]: any}} Entity */

/** @param {any} v */
const texts = (v) => Array.isArray(v) ? v.filter((x) => typeof x === 'string') : [];
/** @param {any} v */
const flag = (v) => typeof v === 'boolean' ? v : undefined;

/** Reads the _acl of an entity. @param {any} acl @returns {Acl} */
export function readAcl(acl) {
  const a = acl ?? {};
  return { creator: String(a.creator ?? ''), gr: flag(a.gr), gw: flag(a.gw), r: texts(a.r), w: texts(a.w), groups: { r: texts(a.groups?.r), w: texts(a.groups?.w) } };
}

/** The _acl as it is sent: without what says nothing. @param {Acl} a */
export function wireAcl(a) {
  /** @type {any} */
  const out = { creator: a.creator };
  if (a.gr !== undefined) out.gr = a.gr;
  if (a.gw !== undefined) out.gw = a.gw;
  if (a.r.length) out.r = a.r;
  if (a.w.length) out.w = a.w;
  if (a.groups.r.length || a.groups.w.length) out.groups = { ...(a.groups.r.length && { r: a.groups.r }), ...(a.groups.w.length && { w: a.groups.w }) };
  return out;
}

/**
 * In short who has a right: "R:all", "R:owner" or "R:3+2g" for three users and two
 * groups besides the owner.
 * @param {Acl} a
 * @param {string} level
 * @param {'r' | 'w'} right
 */
export function short(a, level, right) {
  const l = levelOf(level), sign = right.toUpperCase();
  const says = right === 'r' ? a.gr : a.gw;
  const everyone = says ?? (right === 'r' ? l.read : l.write);
  const users = new Set(a[right].filter((id) => id !== a.creator)).size, groups = new Set(a.groups[right]).size;
  const verb = right === 'r' ? 'read' : 'written';
  if (everyone) return { text: `${sign}:all`, title: `Can be ${verb} by all users${says ? ', as the record itself says' : ''}`, icon: 'globe', kind: says ? 'open' : '' };
  if (users + groups === 0) return { text: `${sign}:owner`, title: `Can be ${verb} by its owner only`, icon: 'lock', kind: '' };
  const text = [users && `${users} ${users === 1 ? 'user' : 'users'}`, groups && `${groups} ${groups === 1 ? 'group' : 'groups'}`].filter(Boolean).join(' and ');
  return { text: `${sign}:${users || ''}${users && groups ? '+' : ''}${groups ? `${groups}g` : ''}`, title: `Can be ${verb} by its owner, ${text}`, icon: 'share', kind: 'named' };
}

/** Does it say more than who created it? @param {Acl} a */
export function says(a) { return a.gr !== undefined || a.gw !== undefined || a.r.length + a.w.length + a.groups.r.length + a.groups.w.length > 0; }

/**
 * The access column: owner, who reads, who writes.
 * @param {string} kid
 * @param {Entity} entity
 * @param {string} level
 */
export function accessCell(kid, entity, level) {
  const a = readAcl(entity._acl);
  return h('span', { class: 'access-cell' }, userName(kid, a.creator, { icon: true }),
    /** @type {('r' | 'w')[]} */ (['r', 'w']).map((right) => {
      const s = short(a, level, right);
      return h('span', { class: `access-right ${s.kind}`, title: s.title }, icon(s.icon), s.text);
    }));
}

/**
 * Why a decision fell, as the end of a sentence.
 * @param {{rule: string, reason: string, path?: string[], user?: {_id: string, username?: string}}} d
 */
export function because(d) {
  const path = d.path && [...d.path, d.user?.username || d.user?._id].filter(Boolean).join(' → ');
  switch (d.reason) {
    case 'master': return 'because the master may do everything';
    case 'creator': return 'as its creator';
    case 'not the creator': return 'because only its creator changes who has access';
    case 'readers': return 'by name: the record names this user as a reader';
    case 'writers': return 'by name: the record names this user as a writer';
    case 'groups.r': return `through a group: ${path ?? 'the record names it among its readers'}`;
    case 'groups.w': return `through a group: ${path ?? 'the record names it among its writers'}`;
    case 'gr': return 'because the record lets everyone read it (gr is on)';
    case 'gw': return 'because the record lets everyone write it (gw is on)';
    case 'gr:false': return 'because the record lets nobody read it who is not named (gr is off)';
    case 'gw:false': return 'because the record lets nobody write it who is not named (gw is off)';
    case 'no credentials': return 'because such a user is not let in at all';
    default: return d.reason.startsWith('level ') ? `because the level of the collection is ${d.reason.slice(6)}` : `because of: ${d.reason || 'no rule grants it'}`;
  }
}
