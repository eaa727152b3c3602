/// What can go wrong with what a person hands us: each error is one sentence that names the thing, what was
/// expected and what came.
public enum EdgeECGError: Error, Hashable, Sendable {
  /// A recording that can't be read or used.
  case recording(String)
  /// Two parts that don't agree on the contract.
  case contract(String)
  /// A bundle that is incomplete, does not fit together or is unsafe to open.
  case bundle(String)
  /// A bundle that is not as it was written: to be copied or sent again.
  case alteredBundle(String)
  /// A whole bundle of another schema: to be read by a newer app, or exported again.
  case bundleVersion(String)

  /// The sentence for a person.
  public var message: String {
    switch self {
    case .recording(let message), .contract(let message), .bundle(let message), .alteredBundle(let message),
      .bundleVersion(let message):
      message
    }
  }
}

extension EdgeECGError: CustomStringConvertible {
  /// The sentence for a person.
  public var description: String { message }
}

/// A name as an error shows it: no more than its beginning.
func shown(_ name: String) -> String {
  String(decoding: name.utf8.prefix(60), as: UTF8.self)
}

/// A shape as an error shows it: `[1, 384]`.
func shown(_ shape: [Int]) -> String {
  "[" + shape.map { String($0) }.joined(separator: ", ") + "]"
}

/// Whether a text begins with another, byte for byte; `starts(with:)` of two UTF-8 views takes 2 KB of a device's code.
func begins(_ text: String, with start: String) -> Bool {
  let text = Array(text.utf8)
  let start = Array(start.utf8)
  return text.count >= start.count && start.indices.allSatisfy { text[$0] == start[$0] }
}
