import Foundation

extension EdgeECGError: LocalizedError {
  /// The sentence for a person.
  public var errorDescription: String? { message }

  /// What a person can do about it; nothing if the sentence says it.
  public var recoverySuggestion: String? {
    switch self {
    case .recording, .contract, .bundle: nil
    case .alteredBundle: "Send or copy the bundle again."
    case .bundleVersion: "Update the app, or export the bundle again."
    }
  }
}
