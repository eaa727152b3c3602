/// The latest part of a stream, addressed by index since the stream began.
///
/// Forgotten samples are removed in bulk, so that a long stream neither grows nor allocates.
struct StreamBuffer: Sendable {
  private static let slack = 1024

  private var samples: [Double] = []
  private var offset = 0  // stream index of samples[0]
  private(set) var start = 0  // the oldest that is kept

  /// One past the newest.
  var end: Int { offset + samples.count }

  var count: Int { end - start }

  var last: Double? { samples.last }

  subscript(index: Int) -> Double { samples[index - offset] }

  /// The samples of that part of the stream. It must be kept.
  subscript(range: Range<Int>) -> ArraySlice<Double> {
    samples[range.lowerBound - offset..<range.upperBound - offset]
  }

  mutating func append(_ sample: Double) {
    samples.append(sample)
  }

  mutating func append(contentsOf more: some Sequence<Double>) {
    samples.append(contentsOf: more)
  }

  mutating func forget(before index: Int) {
    start = max(start, min(index, end))
    if start - offset > max(Self.slack, count) {
      samples.removeFirst(start - offset)
      offset = start
    }
  }
}
