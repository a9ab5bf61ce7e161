'use strict';
// Checks of a script that a test runs (see script.go). A check is one line of JSON on
// standard output: {"name", "ok", "detail"}; the last line is {"done": number of checks}.

const assert = require('node:assert/strict');

// describe says everything of an error. The SDKs' own have a name, but a stack
// of minified code; the others are of the scripts.
function describe(error) {
  const { name, message, code, debug, stack } = Object(error);
  const ours = error instanceof assert.AssertionError || !code;
  return ours ? stack || JSON.stringify(error) || `${error}` : `${name}: ${message} (code ${code}, debug ${JSON.stringify(debug)})`;
}

let count = 0;

async function check(name, act) {
  let detail = '';
  let value;
  try {
    value = await act();
  } catch (error) {
    detail = describe(error);
  }
  count += 1;
  process.stdout.write(`${JSON.stringify({ name, ok: detail === '', detail })}\n`);
  return value;
}

// run is a script: everything in it that is not a check must succeed.
function run(script) {
  script().then(() => {
    process.stdout.write(`${JSON.stringify({ done: count })}\n`);
  }, (error) => {
    process.stderr.write(`${describe(error)}\n`);
    process.exitCode = 1;
  });
}

module.exports = { assert, check, run };
