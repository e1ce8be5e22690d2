// Protocols and their marks: which rows may be ranked together, and in what they differ.

const marksOf = new Map(); // task -> its marks, in order
for (const note of page.protocols) marksOf.set(note.task, [...(marksOf.get(note.task) || []), note.mark].sort());
const noteOf = (task, mark) => page.protocols.find((note) => note.task === task && note.mark === mark);
// The mark that a mark's rows are ranked as: its own, or that beside which they stand.
const rankedAs = (task, mark) => (noteOf(task, mark) || {}).beside || mark;
const rankedOf = new Map([...marksOf].map(([task, marks]) => [task, [...new Set(marks.map((mark) => rankedAs(task, mark)))]]));
const divided = [...marksOf.keys()].filter((task) => rankedOf.get(task).length > 1);

// A protocol's mark: a letter, and a colour as a second hint.
function chip(task, mark, withTask) {
  const hue = mark ? (mark.charCodeAt(mark.length - 1) - 65 + 800) % 8 : 0;
  return el(
    'a',
    { class: 'mark hue' + hue, href: '#protocols', title: task + ': protocol ' + mark },
    el('b', {}, mark),
    withTask && el('span', {}, task),
  );
}

// The facts in which some notes differ, as this one has them; digests of prompts say nothing to people.
function factsApart(note, notes) {
  const apart = note.differs.filter((name) => new Set(notes.map((other) => other.facts[name])).size > 1);
  const told = apart.filter((name) => !/^[0-9a-f]{12}$/.test(note.facts[name] ?? ''));
  return (told.length ? told : apart).map((name) => name + ' ' + (note.facts[name] ?? '\u2013')).join(', ');
}

// Of a row that is ranked with others though its mark is its own: in what it differs from them.
function aside(task, mark) {
  const [note, beside] = [noteOf(task, mark), noteOf(task, rankedAs(task, mark))];
  return note && beside && note !== beside && el('span', { class: 'facts' }, factsApart(note, [note, beside]));
}
