// What differs between two texts, word by word.

const WORD = /[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s]/gu;
const MOST = 1e6; // pairs of words that are looked at; of longer texts only the ends are found equal

const wordsOf = (text) => [...text.matchAll(WORD)].map((found) => [found[0], found.index, found.index + found[0].length]);

// Some of a text for a tooltip, with what is invisible spelled out.
const told = (text) => plain(text.slice(0, 200)).map((part) => part.textContent ?? part).join('');

// A pair [place in one, place in other] for each word of a longest common subsequence.
function common(one, other) {
  const same = (a, b) => one[a][0] === other[b][0];
  let head = 0;
  while (head < one.length && head < other.length && same(head, head)) head += 1;
  let tail = 0;
  while (tail < Math.min(one.length, other.length) - head && same(one.length - 1 - tail, other.length - 1 - tail)) tail += 1;
  const pairs = Array.from({ length: head }, (_, at) => [at, at]);
  const [rows, columns] = [one.length - head - tail, other.length - head - tail];
  if (rows * columns <= MOST) {
    const width = columns + 1;
    const longest = new Uint32Array((rows + 1) * width);
    for (let a = rows - 1; a >= 0; a -= 1) {
      for (let b = columns - 1; b >= 0; b -= 1) {
        longest[a * width + b] = same(head + a, head + b)
          ? longest[(a + 1) * width + b + 1] + 1
          : Math.max(longest[(a + 1) * width + b], longest[a * width + b + 1]);
      }
    }
    for (let a = 0, b = 0; a < rows && b < columns;) {
      if (same(head + a, head + b)) pairs.push([head + a++, head + b++]);
      else if (longest[(a + 1) * width + b] >= longest[a * width + b + 1]) a += 1;
      else b += 1;
    }
  }
  for (let at = tail; at > 0; at -= 1) pairs.push([one.length - at, other.length - at]);
  return pairs;
}

// A text with those words marked that the other lacks, and a bar where some of the other's are missing.
// Returns its parts and how many of its words are marked.
function marked(text, other) {
  const [ours, theirs] = [wordsOf(text), wordsOf(other)];
  const parts = [];
  let [at, place, theirPlace, fresh] = [0, 0, 0, 0];
  for (const [next, theirNext] of [...common(ours, theirs), [ours.length, theirs.length]]) {
    const missing = theirNext > theirPlace && other.slice(theirs[theirPlace][1], theirs[theirNext - 1][2]);
    if (next > place) {
      const [from, to] = [ours[place][1], ours[next - 1][2]];
      parts.push(plain(text.slice(at, from)), el('mark', { title: missing ? 'in place of: ' + told(missing) : 'not in the other' }, plain(text.slice(from, to))));
      at = to;
      fresh += next - place;
    } else if (missing) {
      const to = next < ours.length ? ours[next][1] : text.length;
      parts.push(plain(text.slice(at, to)), el('span', { class: 'missing', title: 'missing here: ' + told(missing) }));
      at = to;
    }
    place = next + 1;
    theirPlace = theirNext + 1;
  }
  parts.push(plain(text.slice(at)));
  return [parts, fresh];
}
