// Records as a file, one JSON object a line.
import { h } from './dom.js';
import { count, dialog, download, plural, toast } from './ui.js';
import { fetchRows } from './collection.js';

/** @typedef {import('./acl.js').Entity} Entity */

const atOnce = 1000;

/** @param {Entity[]} rows */
const lines = (rows) => rows.map((r) => `${JSON.stringify(r)}\n`).join('');

/** @param {string} name */
const fileName = (name) => `${name.replace(/[^\w.-]+/g, '_')}.ndjson`;

/**
 * Records that are here already.
 * @param {string} name
 * @param {Entity[]} rows
 */
export function exportRows(name, rows) {
  download(fileName(name), [lines(rows)]);
  toast(`${plural(rows.length, 'record')} exported`);
}

/**
 * All that a query finds, page by page; it can be stopped.
 * @param {import('./route.js').Context} ctx
 * @param {string} name
 * @param {Record<string, any>} source
 * @param {number} [total]
 */
export async function exportAll(ctx, name, source, total) {
  const stop = new AbortController();
  const bar = h('progress', { max: String(total ?? 1), 'aria-label': 'Exported' });
  const text = h('p', { role: 'status' }, 'Reading …');
  const d = dialog({ title: 'Export', body: [text, bar], cancel: 'Stop', signal: ctx.signal });
  d.closed.then(() => stop.abort());
  /** @type {BlobPart[]} */
  const parts = [];
  try {
    // In the order of the ids nothing moves from one page to another meanwhile.
    const params = { ...source, sort: source.sort ?? { _id: 1 } };
    for (let skip = 0; ;) {
      const rows = await fetchRows(ctx, name, { ...params, skip, limit: atOnce }, AbortSignal.any([stop.signal, ctx.signal]));
      parts.push(lines(rows));
      skip += rows.length;
      text.textContent = total === undefined ? `${count(skip)} records` : `${count(skip)} of ${count(total)} records`;
      bar.value = skip;
      if (rows.length < atOnce) { download(fileName(name), parts); toast(`${plural(skip, 'record')} exported`); break; }
    }
    d.close();
  } catch (e) { if (!stop.signal.aborted) d.fail(e); }
}
