/// Recordings from the bytes of a file. What is in this folder reads text, and firmware leaves it out.
extension ECGRecording {
  /// The recording in the bytes of a file, chosen by content, and `source`'s extension.
  ///
  /// An Apple ECG file in any language (its own rate and unit), a column of numbers or a 1-D `.npy` (512 Hz,
  /// microvolts).
  /// - Throws: ``EdgeECGError/recording(_:)`` if it can't be read or can't be an ECG.
  public init(content: [UInt8], source: String) throws(EdgeECGError) {
    try self.init(try Self.signal(content, path: source), source: source)
  }

  /// What the bytes of a file say.
  static func signal(_ content: [UInt8], path: String) throws(EdgeECGError) -> Signal {
    guard content.contains(where: { ![9, 10, 11, 12, 13, 32].contains($0) }) else {
      throw EdgeECGError.recording("is empty; expected a recording")
    }
    if content.starts(with: NumpyFile.magic) || path.utf8.reversed().starts(with: ".npy".utf8.reversed()) {
      return Signal(values: try NumpyFile.values(content))
    }
    if content.starts(with: [0x50, 0x4b, 3, 4]) {
      throw EdgeECGError.recording(
        "is a zip archive; unpack it and give one of its recordings (electrocardiograms/*.csv)")
    }
    if content.starts(with: Array("0       ".utf8)) {
      throw EdgeECGError.recording("is an EDF file, which only Edge ECG for Python reads")
    }
    return try AppleCSV.signal(content)
  }

  /// What one of a unit is; nothing for a word that is none.
  static func microvoltsPer(_ unit: Scalars) -> Double? {
    let folded = unit.casefolded
    return Vocabulary.microvoltsPer.first { folded.isOne(of: [$0.word]) }?.value
  }
}
