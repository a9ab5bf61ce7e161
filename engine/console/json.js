// Where a text is no JSON, in words: browsers say it each in their own way, and often
// without the place.

/**
 * Says what is wrong with a text that is to be JSON; "" when it is.
 * @param {string} text
 */
export function jsonFault(text) {
  let at = 0;
  /** @param {string} what @param {number} [where] @returns {never} */
  const wrong = (what, where = at) => {
    const before = text.slice(0, where).split('\n');
    throw new Error(`${what} at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`);
  };
  const blank = () => { while (at < text.length && ' \t\n\r'.includes(text[at])) at++; };
  const seen = () => at < text.length ? `"${text[at]}"` : 'the end';
  function string() {
    const start = at++;
    for (; text[at] !== '"'; at++) {
      if (at >= text.length || text[at] === '\n') wrong('a text is not closed with a quote', start);
      if (text[at] < ' ') wrong('a control character has to be written as \\u00..');
      if (text[at] === '\\') {
        const escape = /^\\(["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(text.slice(at, at + 6));
        if (!escape) wrong('an unknown escape stands');
        else at += escape[0].length - 1;
      }
    }
    at++;
  }
  /** @param {string} end @param {() => void} member */
  function list(end, member) {
    const start = at++;
    blank();
    if (text[at] === end) { at++; return; }
    for (;;) {
      member();
      blank();
      if (text[at] === end) { at++; return; }
      if (at >= text.length) wrong(`"${end}" is missing for what begins`, start);
      if (text[at] !== ',') wrong(`"," or "${end}" is missing before ${seen()}`);
      at++;
      blank();
      if (text[at] === end) wrong(`nothing follows the "," before "${end}"`);
    }
  }
  function value() {
    blank();
    if (text[at] === '{') return list('}', () => {
      blank();
      if (text[at] !== '"') wrong(`a name in double quotes is missing before ${seen()}`);
      string();
      blank();
      if (text[at] !== ':') wrong(`":" is missing before ${seen()}`);
      at++;
      value();
    });
    if (text[at] === '[') return list(']', value);
    if (text[at] === '"') return string();
    if (text[at] === "'") wrong('texts stand in double quotes; a single one is');
    const plain = /^(true|false|null|-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?)/.exec(text.slice(at, at + 400));
    if (!plain) wrong(`a value is missing before ${seen()}`);
    else at += plain[0].length;
  }
  try {
    value();
    blank();
    if (at < text.length) wrong(`there is more behind the end: ${seen()}`);
    return '';
  } catch (e) { return /** @type {Error} */ (e).message; }
}

/**
 * Reads JSON. A number whose digits this browser's numbers do not hold stays as it is
 * written, as an object that JSON.stringify writes so again: what is shown and sent
 * back is what was there.
 * @param {string} text
 * @returns {any}
 */
export function parseJSON(text) {
  const keep = /** @type {any} */ (JSON).rawJSON;
  if (!keep) return JSON.parse(text);
  /** @param {string} _key @param {any} v @param {any} [context] */
  const each = (_key, v, context) => {
    if (typeof v !== 'number' || !context) return v;
    const digits = context.source.replace(/[eE].*$/, '').replace(/[-.]/g, '').replace(/^0+/, '');
    return digits.length > 15 || !Number.isFinite(v) ? keep(context.source) : v;
  };
  return JSON.parse(text, each);
}
