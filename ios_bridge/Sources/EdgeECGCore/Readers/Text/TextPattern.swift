/// A regular expression as Python's `re` writes it, as far as `Vocabulary` needs it, on Unicode scalars.
///
/// Characters, sets, `\d` `\w` `\s`, groups, alternatives, `^ $ \b`, greedy and lazy repeats, and looks ahead and behind.
/// Foundation's regular expressions know other letters and digits, and exist on no other device than Apple's.
struct TextPattern: Sendable {
  /// Places in the text: of the whole match, then of each group; an empty group that took no part is nil.
  typealias Match = [Range<Int>?]

  private enum Operation: UInt8 { case scalar, set, split, jump, save, boundary, start, end, look, accept }

  private struct Step {
    var operation: Operation
    var value: UInt32 = 0  // the scalar, or the number of the set or slot
    var other = 0  // steps to the other branch, or behind a look
    var isNegative = false  // of a look; of a split: the other branch comes first
    var behind = 0
  }

  private struct Characters {
    var ranges: [ClosedRange<UInt32>] = []
    var classes: [Unicode.Scalar] = []
    var isNegated = false

    func holds(_ scalar: UInt32) -> Bool {
      (ranges.contains { $0.contains(scalar) } || classes.contains { TextPattern.isOf($0, scalar) }) != isNegated
    }
  }

  private var steps: [Step] = []
  private var sets: [Characters] = []
  private var groups = 0
  private let ignoresCase: Bool

  init(_ pattern: String, ignoringCase: Bool = false) {
    ignoresCase = ignoringCase
    var rest = Scalars(pattern)[...]
    steps = alternatives(&rest) + [Step(operation: .accept)]
  }

  // MARK: - Matching

  /// The first match at or after a place.
  func search(_ text: Scalars, from start: Int = 0) -> Match? {
    let folded = ignoresCase ? text.casefolded : text
    for place in stride(from: start, through: text.count, by: 1)
    where mayBegin(0, place < folded.count ? folded[place] : nil) {
      if let found = match(at: place, folded) { return found }
    }
    return nil
  }

  /// Whether a match may begin with this scalar, or the end: most places are out at a glance.
  private func mayBegin(_ first: Int, _ scalar: UInt32?) -> Bool {
    var at = first
    while true {
      let step = steps[at]
      switch step.operation {
      case .scalar: return scalar == step.value
      case .set: return scalar.map { sets[Int(step.value)].holds($0) } ?? false
      case .accept: return true
      case .split:
        if mayBegin(at + 1, scalar) { return true }
        at += step.other
      case .jump, .look: at += step.other
      case .save, .boundary, .start, .end: at += 1
      }
    }
  }

  func isIn(_ text: Scalars) -> Bool { search(text) != nil }

  /// Whether the text begins with a match.
  func begins(_ text: Scalars) -> Bool { match(at: 0, ignoresCase ? text.casefolded : text) != nil }

  /// The match that is the whole text.
  func whole(_ text: Scalars) -> Match? {
    match(at: 0, ignoresCase ? text.casefolded : text, isWhole: true)
  }

  /// Every match, each behind the one before it.
  func all(_ text: Scalars) -> [Match] {
    var (found, place): ([Match], Int) = ([], 0)
    while place <= text.count, let match = search(text, from: place), let range = match[0] {
      found.append(match)
      place = max(range.upperBound, place + 1)
    }
    return found
  }

  /// The parts between matches.
  func split(_ text: Scalars, most: Int = .max) -> [Scalars] {
    var (parts, start): ([Scalars], Int) = ([], 0)
    for range in all(text).prefix(most).compactMap({ $0[0] }) {
      parts.append(Scalars(text[start..<range.lowerBound]))
      start = range.upperBound
    }
    return parts + [Scalars(text[start...])]
  }

  /// The text with each match replaced.
  func replaced(_ text: Scalars, by other: (Match) -> Scalars) -> Scalars {
    var (result, start): (Scalars, Int) = ([], 0)
    for match in all(text) {
      guard let range = match[0] else { continue }
      result += text[start..<range.lowerBound] + other(match)
      start = range.upperBound
    }
    return result + text[start...]
  }

  private struct Choice {
    let step: Int  // -1: a slot to be restored
    let place: Int
    var slot = 0
  }

  private func match(at start: Int, _ text: Scalars, isWhole: Bool = false) -> Match? {
    var slots = [Int](repeating: -1, count: 2 * groups + 2)
    guard let end = run(0, start, text, &slots, isWhole: isWhole) else { return nil }
    (slots[0], slots[1]) = (start, end)
    return (0...groups).map { slots[2 * $0] < 0 || slots[2 * $0 + 1] < 0 ? nil : slots[2 * $0]..<slots[2 * $0 + 1] }
  }

  /// The place behind the match, by trying choices in turn: the stack is here and not the machine's, for any text.
  private func run(_ first: Int, _ start: Int, _ text: Scalars, _ slots: inout [Int], isWhole: Bool = false) -> Int? {
    var (at, place, choices): (Int, Int, [Choice]) = (first, start, [])
    while true {
      let step = steps[at]
      var fits = true
      switch step.operation {
      case .scalar:
        fits = place < text.count && text[place] == step.value
        place += 1
      case .set:
        fits = place < text.count && sets[Int(step.value)].holds(text[place])
        place += 1
      case .split:
        choices.append(Choice(step: at + (step.isNegative ? 1 : step.other), place: place))
        if step.isNegative { at += step.other - 1 }
      case .jump: at += step.other - 1
      case .save:
        choices.append(Choice(step: -1, place: slots[Int(step.value)], slot: Int(step.value)))
        slots[Int(step.value)] = place
      case .boundary:
        let before = place > 0 && Self.isOf("w", text[place - 1])
        fits = before != (place < text.count && Self.isOf("w", text[place]))
      case .start: fits = place == 0
      case .end: fits = place == text.count
      case .look:
        fits = (place >= step.behind && run(at + 1, place - step.behind, text, &slots) != nil) != step.isNegative
        at += step.other - 1
      case .accept:
        if !isWhole || place == text.count { return place }
        fits = false
      }
      at += 1
      while !fits {
        guard let choice = choices.popLast() else { return nil }
        fits = choice.step >= 0
        if fits { (at, place) = (choice.step, choice.place) } else { slots[choice.slot] = choice.place }
      }
    }
  }

  // MARK: - Reading a pattern

  private mutating func alternatives(_ rest: inout ArraySlice<UInt32>) -> [Step] {
    var branches = [sequence(&rest)]
    while Self.skip("|", &rest) { branches.append(sequence(&rest)) }
    return branches.dropLast().reversed().reduce(branches.last ?? []) { after, branch in
      [Step(operation: .split, other: branch.count + 2)] + branch
        + [Step(operation: .jump, other: after.count + 1)] + after
    }
  }

  private mutating func sequence(_ rest: inout ArraySlice<UInt32>) -> [Step] {
    var steps: [Step] = []
    while let next = rest.first, !Self.isOne(next, of: "|)") {
      let atom = atom(&rest)
      steps += repeated(atom, &rest)
    }
    return steps
  }

  private mutating func atom(_ rest: inout ArraySlice<UInt32>) -> [Step] {
    let next = rest.removeFirst()
    switch Unicode.Scalar(next) {
    case "^": return [Step(operation: .start)]
    case "$": return [Step(operation: .end)]
    case "(": return group(&rest)
    case "[": return [set(characters(&rest))]
    case ".": return [set(Characters(ranges: [10...10], isNegated: true))]
    case "\\":
      let escaped = rest.removeFirst()
      if escaped == 0x62 { return [Step(operation: .boundary)] }
      return [Self.isOne(escaped, of: "dws") ? set(Self.named(escaped)) : one(Self.unescaped(escaped))]
    default: return [one(next)]
    }
  }

  private mutating func group(_ rest: inout ArraySlice<UInt32>) -> [Step] {
    defer { _ = Self.skip(")", &rest) }
    if Self.skip("?:", &rest) { return alternatives(&rest) }
    for (mark, isBehind, isNegative) in [
      ("?=", false, false), ("?!", false, true), ("?<=", true, false), ("?<!", true, true),
    ] where Self.skip(mark, &rest) {
      let inner = alternatives(&rest) + [Step(operation: .accept)]
      let length = inner.count { $0.operation == .scalar || $0.operation == .set }
      return [
        Step(operation: .look, other: inner.count + 1, isNegative: isNegative, behind: isBehind ? length : 0)
      ] + inner
    }
    if Self.skip("?P<", &rest) { rest = rest.drop { $0 != 0x3e }.dropFirst() }  // groups are known by number
    groups += 1
    let slot = UInt32(2 * groups)
    return [Step(operation: .save, value: slot)] + alternatives(&rest) + [Step(operation: .save, value: slot + 1)]
  }

  private func repeated(_ atom: [Step], _ rest: inout ArraySlice<UInt32>) -> [Step] {
    var (fewest, most) = (1, 1)
    if Self.skip("?", &rest) { fewest = 0 }
    if Self.skip("*", &rest) { (fewest, most) = (0, .max) }
    if Self.skip("+", &rest) { most = .max }
    if let brace = rest.first, brace == 0x7b {
      let inner = rest.prefix { $0 != 0x7d }.dropFirst()
      let numbers = inner.split(separator: 0x2c).map { $0.reduce(0) { 10 * $0 + Int($1) - 0x30 } }
      (fewest, most) = (numbers[0], numbers[numbers.count - 1])
      rest = rest.dropFirst(inner.count + 2)
    }
    let isLazy = (fewest, most) != (1, 1) && Self.skip("?", &rest)
    let again = { (steps: [Step], next: Int) in
      [Step(operation: .split, other: next, isNegative: isLazy)] + steps
    }
    var steps = (0..<fewest).flatMap { _ in atom }
    if most == .max {
      steps += again(atom + [Step(operation: .jump, other: -atom.count - 1)], atom.count + 2)
    } else {
      for left in stride(from: most - fewest, to: 0, by: -1) { steps += again(atom, left * (atom.count + 1)) }
    }
    return steps
  }

  private func characters(_ rest: inout ArraySlice<UInt32>) -> Characters {
    var set = Characters(isNegated: Self.skip("^", &rest))
    while let first = rest.popFirst(), first != 0x5d {
      var low = first
      if first == 0x5c {
        let escaped = rest.removeFirst()
        if Self.isOne(escaped, of: "dwsW") {
          set.classes.append(Unicode.Scalar(escaped) ?? "w")
          continue
        }
        low = Self.unescaped(escaped)
      }
      var high = low
      if rest.first == 0x2d, rest.dropFirst().first != 0x5d {
        rest.removeFirst()
        high = rest.removeFirst()
      }
      set.ranges.append(low...high)
    }
    return set
  }

  private mutating func set(_ characters: Characters) -> Step {
    sets.append(characters)
    return Step(operation: .set, value: UInt32(sets.count - 1))
  }

  private func one(_ scalar: UInt32) -> Step {
    Step(operation: .scalar, value: ignoresCase ? scalar.casefolded : scalar)
  }

  private static func named(_ letter: UInt32) -> Characters {
    Characters(classes: [Unicode.Scalar(letter) ?? "w"])
  }

  private static func unescaped(_ letter: UInt32) -> UInt32 {
    switch Unicode.Scalar(letter) {
    case "t": 9
    case "n": 10
    default: letter
    }
  }

  private static func isOf(_ name: Unicode.Scalar, _ scalar: UInt32) -> Bool {
    switch name {
    case "d": scalar.digit != nil
    case "s": scalar.isSpace
    case "W": !scalar.isWord
    default: scalar.isWord
    }
  }

  private static func isOne(_ scalar: UInt32, of marks: StaticString) -> Bool {
    marks.withUTF8Buffer { marks in marks.contains { UInt32($0) == scalar } }
  }

  private static func skip(_ marks: String, _ rest: inout ArraySlice<UInt32>) -> Bool {
    guard rest.starts(with: Scalars(marks)) else { return false }
    rest.removeFirst(marks.utf8.count)
    return true
  }
}
