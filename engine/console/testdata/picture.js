'use strict';
// A screenshot made small: of the colours that occur, as many as fit one byte a pixel.

const zlib = require('node:zlib');

// pixels reads a PNG as Chromium writes it: 8 bits a channel, not interlaced.
function pixels(png) {
  const [width, height, channels] = [png.readUInt32BE(16), png.readUInt32BE(20), png[25] === 6 ? 4 : 3];
  const parts = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const raw = zlib.inflateSync(Buffer.concat(parts));
  const line = width * channels;
  const out = Buffer.alloc(height * line);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (line + 1)];
    for (let x = 0; x < line; x += 1) {
      const a = x < channels ? 0 : out[y * line + x - channels];
      const b = y === 0 ? 0 : out[(y - 1) * line + x];
      const c = x < channels || y === 0 ? 0 : out[(y - 1) * line + x - channels];
      const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
      const guess = [0, a, b, (a + b) >> 1, pa <= pb && pa <= pc ? a : pb <= pc ? b : c][filter];
      out[y * line + x] = raw[y * (line + 1) + 1 + x] + guess;
    }
  }
  return { width, height, channels, out };
}

// small writes the picture anew, with at most so many colours.
function small(png, most = 48) {
  const { width, height, channels, out } = pixels(png);
  const count = new Map();
  const colours = new Uint32Array(width * height);
  for (let i = 0; i < colours.length; i += 1) {
    const at = i * channels;
    colours[i] = (out[at] << 16) | (out[at + 1] << 8) | out[at + 2];
    count.set(colours[i], (count.get(colours[i]) ?? 0) + 1);
  }
  const parts = c => [c >> 16, (c >> 8) & 255, c & 255];
  const far = (a, b) => { const [p, q] = [parts(a), parts(b)]; return (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 + (p[2] - q[2]) ** 2; };
  const palette = [];
  for (const [c] of [...count].sort((a, b) => b[1] - a[1])) if (palette.length < most && palette.every(p => far(p, c) > 200 || count.get(c) > 2000)) palette.push(c);
  const near = new Map();
  const index = (c) => {
    if (!near.has(c)) near.set(c, palette.reduce((best, p, i) => (far(p, c) < far(palette[best], c) ? i : best), 0));
    return near.get(c);
  };
  const raw = Buffer.alloc(height * (width + 1));
  colours.forEach((c, i) => { raw[Math.floor(i / width) * (width + 1) + 1 + (i % width)] = index(c); });
  const chunk = (name, data) => {
    const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  return Buffer.concat([png.subarray(0, 8), chunk('IHDR', head), chunk('PLTE', Buffer.from(palette.flatMap(parts))),
    chunk('IDAT', zlib.deflateSync(raw, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}

function crc(bytes) {
  let c = 0xffffffff;
  for (const b of bytes) {
    c ^= b;
    for (let k = 0; k < 8; k += 1) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  }
  return (c ^ 0xffffffff) >>> 0;
}

module.exports = { small };
