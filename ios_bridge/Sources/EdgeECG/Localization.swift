import Foundation

/// A text of `Localizable.xcstrings` in the user's language, with `arguments` where it has `%@`; as it is written here where
/// there is no catalog.
package func localized(_ text: String, _ arguments: String...) -> String {
  #if canImport(Darwin)
    let found = Bundle.module.localizedString(forKey: text, value: nil, table: nil)
  #else
    let found = text
  #endif
  var parts = found.components(separatedBy: "%@")[...]
  var filled = parts.removeFirst()
  for (part, argument) in zip(parts, arguments) { filled += argument + part }
  return filled
}

extension ECGDecision {
  /// The label, which is the person's own word, or "inconclusive" in the user's language.
  public var localizedLabel: String { isConclusive ? label : localized("inconclusive") }
}

extension ECGRecordingReason {
  /// The reason in the user's language.
  public var localizedDescription: String { localized(rawValue) }
}

extension ECGBeatReason {
  /// The reason in the user's language.
  public var localizedDescription: String { localized(rawValue) }
}

extension EdgeECGError: LocalizedError {
  /// What can't be used, in the user's language, and ``message``, which is English.
  public var errorDescription: String? {
    switch self {
    case .recording: localized("This ECG can't be used: %@", message)
    case .contract: localized("The bundle does not fit this app: %@", message)
    case .bundle: localized("There is no bundle that can be used: %@", message)
    case .alteredBundle: localized("The bundle is damaged: %@", message)
    case .bundleVersion: localized("The bundle is of another version: %@", message)
    }
  }

  /// What a person can do about it, in the user's language; nothing if the reason says it.
  public var recoverySuggestion: String? {
    switch self {
    case .recording, .contract, .bundle: nil
    case .alteredBundle: localized("Send or copy the bundle again.")
    case .bundleVersion: localized("Update the app, or export the bundle again.")
    }
  }
}
