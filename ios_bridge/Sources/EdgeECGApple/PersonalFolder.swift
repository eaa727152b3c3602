import Foundation

/// A folder for what belongs to the person: on Apple platforms encrypted while the device is locked, and in no backup.
public struct PersonalFolder: Sendable {
  /// Where it is; it is made when there is something to keep.
  public let url: URL

  /// A folder at `url`.
  public init(_ url: URL) { self.url = url }

  /// Where a file of that name is.
  public func file(_ name: String) -> URL { url.appendingPathComponent(name) }

  /// Writes a file whole, or leaves the one before.
  public func write(_ content: Data, as name: String) throws {
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    #if canImport(Darwin)
      let options: Data.WritingOptions = [.atomic, .completeFileProtection]
      var folder = url
      var values = URLResourceValues()
      values.isExcludedFromBackup = true  // of the folder: a file loses it when it is written anew
      try folder.setResourceValues(values)
    #else
      let options: Data.WritingOptions = .atomic
    #endif
    try content.write(to: file(name), options: options)
  }
}
