import Foundation

/// A missing sample is null; what is read back is examined as any other recording is.
extension ECGRecording: Codable {
  private enum CodingKeys: CodingKey { case samplesMicrovolts, sampleRateHz, source, recordedAt }

  /// Reads what ``encode(to:)`` wrote.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    try self.init(
      samplesMicrovolts: values.decode([Double?].self, forKey: .samplesMicrovolts).map { $0 ?? .nan },
      sampleRateHz: values.decode(Double.self, forKey: .sampleRateHz),
      source: values.decode(String.self, forKey: .source),
      recordedAt: values.decodeIfPresent(String.self, forKey: .recordedAt))
  }

  /// Writes the samples with their rate, source and time.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(samplesMicrovolts.map { $0.isNaN ? nil : $0 }, forKey: .samplesMicrovolts)
    try values.encode(sampleRateHz, forKey: .sampleRateHz)
    try values.encode(source, forKey: .source)
    try values.encodeIfPresent(recordedAt, forKey: .recordedAt)
  }
}

extension ECGRecording {
  private static let mostFileBytes = 50_000_000

  /// The recording in a file, chosen by content and extension.
  ///
  /// An Apple ECG file in any language (its own rate and unit), a column of numbers or a 1-D `.npy` (512 Hz,
  /// microvolts). WFDB and EDF, which Python reads as well, are refused by name.
  /// - Throws: ``EdgeECGError/recording(_:)``, naming the file, if it can't be read or can't be an ECG.
  public init(contentsOf url: URL) throws(EdgeECGError) {
    guard let path = url.filePath else { throw EdgeECGError.recording("\(url): is no URL of a file") }
    do throws(EdgeECGError) {
      if Self.isRecord(path) {
        throw EdgeECGError.recording("is a WFDB record, which only Edge ECG for Python reads")
      }
      let content = try Self.bytes(of: path)
      try self.init(content: content, source: path)
    } catch {
      throw EdgeECGError.recording("\(path): \(error)")
    }
  }

  /// Whether it is a WFDB record: its header, its signals beside the header, or the name that both share.
  private static func isRecord(_ path: String) -> Bool {
    let isThere = FileManager.default.fileExists(atPath:)
    let suffix = path.suffix(4).lowercased()
    guard suffix == ".hea" || suffix == ".dat" else { return !isThere(path) && isThere(path + ".hea") }
    return isThere(path.dropLast(4) + ".hea") || isThere(path.dropLast(4) + ".HEA")
  }

  private static func bytes(of path: String) throws(EdgeECGError) -> [UInt8] {
    var facts = stat()
    guard stat(path, &facts) == 0 else {
      throw EdgeECGError.recording("cannot be read: \(String(cString: strerror(errno)))")
    }
    guard facts.st_mode & S_IFMT == S_IFREG else {
      throw EdgeECGError.recording("is a folder or a device; expected the file of one recording")
    }
    guard facts.st_size <= mostFileBytes else {
      throw EdgeECGError.recording("holds \(facts.st_size / 1_000_000) MB; expected one recording of at most 50 MB")
    }
    guard let content = FileManager.default.contents(atPath: path) else {
      throw EdgeECGError.recording("cannot be read: \(String(cString: strerror(errno)))")
    }
    return [UInt8](content)
  }
}
