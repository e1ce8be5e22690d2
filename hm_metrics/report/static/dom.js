// Making elements, and showing text that cannot be trusted.

const $ = (id) => document.getElementById(id);

// An element with properties and children; a child that is no node becomes text, never HTML.
function el(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'on') {
      for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    } else if (name === 'style') {
      // By property: the content security policy forbids style attributes.
      for (const [property, set] of Object.entries(value)) node.style.setProperty(property, set);
    } else if (name in node && typeof value !== 'string') {
      node[name] = value;
    } else {
      node.setAttribute(name === 'class' ? 'class' : name, value);
    }
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Characters that a reader cannot see or that turn the text around (bidirectional overrides),
// and halves of surrogate pairs.
const ODD = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

// Text as text, with what is invisible spelled out.
function plain(text) {
  const found = [...text.matchAll(ODD)];
  if (!found.length) return [text];
  const parts = [];
  let from = 0;
  for (const match of found) {
    if (match.index > from) parts.push(text.slice(from, match.index));
    const code = match[0].charCodeAt(0);
    const spelled = code < 256 ? '\\x' + code.toString(16).padStart(2, '0') : '\\u' + code.toString(16).padStart(4, '0');
    parts.push(el('span', { class: 'odd', title: 'U+' + code.toString(16).toUpperCase().padStart(4, '0') }, spelled));
    from = match.index + 1;
  }
  parts.push(text.slice(from));
  return parts;
}

// A name in the address; half a surrogate pair has no such form.
function encode(text) {
  return encodeURIComponent(text.replace(ODD, (odd) => (/[\ud800-\udfff]/.test(odd) ? '\ufffd' : odd)));
}

function number(value, whole) {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '\u2013';
  if (whole) return String(value);
  const size = Math.abs(value);
  return value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3).replace('-', '\u2212');
}

const count = (n, word) => n.toLocaleString('en') + ' ' + word + (n === 1 ? '' : 's');

const page = JSON.parse($('page').textContent);
