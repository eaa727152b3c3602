/// One heartbeat as the encoder sees it.
public struct Beat: Hashable, Sendable {
  /// Where R is, in samples at the contract's rate since the stream began.
  public let rIndex: Int
  /// When the whole beat was known, in seconds on the recording's own clock: the first wake that had it.
  public let knownAtSeconds: Double
  /// The raw samples in microvolts around R, then the RR interval in seconds.
  public let values: [Float]
}
