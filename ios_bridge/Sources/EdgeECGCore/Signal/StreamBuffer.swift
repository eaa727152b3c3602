/// The latest part of a stream, addressed by index since the stream began.
///
/// Indices are 64 bits wide, so that a watch with 32-bit words counts on after 48 days. Forgotten samples are removed
/// in bulk, so that a long stream neither grows nor allocates: the memory is taken once.
struct StreamBuffer: Sendable {
  private static let slack = 256  // samples that wait to be forgotten, and room for what comes in at once
  private static let mostReserved = 32_768

  private var samples: [Double] = []
  private var offset: Int64 = 0  // stream index of samples[0]
  private(set) var start: Int64 = 0  // the oldest that is kept

  /// A buffer that takes memory as it is filled.
  init() {}

  /// A buffer for so many samples that are kept. Memory for more than a minute is taken only when it is filled.
  init(keeping count: Int) {
    samples.reserveCapacity(min(count, Self.mostReserved) + 2 * Self.slack)
  }

  /// One past the newest.
  var end: Int64 { offset + Int64(samples.count) }

  /// How many are kept.
  var count: Int { Int(end - start) }

  var last: Double? { samples.last }

  subscript(index: Int64) -> Double { samples[Int(index - offset)] }

  /// The samples of that part of the stream. It must be kept.
  subscript(range: Range<Int64>) -> ArraySlice<Double> {
    samples[Int(range.lowerBound - offset)..<Int(range.upperBound - offset)]
  }

  mutating func append(_ sample: Double) {
    samples.append(sample)
  }

  mutating func append(contentsOf more: some Sequence<Double>) {
    samples.append(contentsOf: more)
  }

  mutating func forget(before index: Int64) {
    start = max(start, min(index, end))
    let forgotten = Int(start - offset)
    if forgotten > Self.slack {
      samples.removeFirst(forgotten)
      offset = start
    }
  }
}

extension FixedWidthInteger {
  /// The nearest number that this type holds, towards zero; 0 for NaN. A plain conversion would trap.
  package init(clamped number: Double) {
    if let exact = Self(exactly: number.rounded(.towardZero)) {
      self = exact
    } else {
      self = number.isNaN ? 0 : number > 0 ? .max : .min
    }
  }
}
