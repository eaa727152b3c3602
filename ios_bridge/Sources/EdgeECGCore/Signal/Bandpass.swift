/// The band where the QRS complex is loudest: a causal filter with carried memory, for the detector only.
///
/// Any chunk size gives the same output, bit for bit. The sections run one after the other as transposed direct
/// form II, in the order of operations of `scipy.signal.sosfilt`. The filter starts as if the first sample had
/// lasted for ever, so that an electrode offset makes no swing: a band-pass answers a constant with zero, and
/// subtracting the first sample from all others is the same as that memory.
package struct Bandpass: Sendable {
  /// A second-order section, its a0 being 1.
  package struct Section: Hashable, Sendable {
    let b0, b1, b2, a1, a2: Double
  }

  private struct Memory {
    var z0 = 0.0
    var z1 = 0.0
  }

  private let sections: [Section]
  private var origin: Double?
  private var memory: [Memory]

  /// A filter of these sections.
  package init(_ sections: [Section]) {
    self.sections = sections
    memory = sections.map { _ in Memory() }
  }

  /// Forgets the stream.
  package mutating func reset() {
    self = Bandpass(sections)
  }

  /// The filtered sample.
  package mutating func push(_ sample: Double) -> Double {
    let origin = self.origin ?? sample
    self.origin = origin
    var value = sample - origin
    for index in sections.indices {
      let section = sections[index]
      let filtered = section.b0 * value + memory[index].z0
      memory[index].z0 = section.b1 * value - section.a1 * filtered + memory[index].z1
      memory[index].z1 = section.b2 * value - section.a2 * filtered
      value = filtered
    }
    return value
  }
}
