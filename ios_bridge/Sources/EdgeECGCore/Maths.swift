/// The C library's functions: through its module where there is one, by their names on bare metal.
#if hasFeature(Embedded)
  @_extern(c, "exp") private func cExp(_ x: Double) -> Double
  @_extern(c, "log") private func cLog(_ x: Double) -> Double
  @_extern(c, "log1p") private func cLog1p(_ x: Double) -> Double
  @_extern(c, "expf") private func cExp(_ x: Float) -> Float
  @_extern(c, "tanhf") private func cTanh(_ x: Float) -> Float
#else
  #if canImport(Darwin)
    import Darwin
  #elseif canImport(Glibc)
    import Glibc
  #elseif canImport(Musl)
    import Musl
  #elseif canImport(Android)
    import Android
  #endif

  private func cExp(_ x: Double) -> Double { exp(x) }
  private func cLog(_ x: Double) -> Double { log(x) }
  private func cLog1p(_ x: Double) -> Double { log1p(x) }
  private func cExp(_ x: Float) -> Float { exp(x) }
  private func cTanh(_ x: Float) -> Float { tanh(x) }
#endif

enum Maths {
  static func exp(_ x: Double) -> Double { cExp(x) }
  static func log(_ x: Double) -> Double { cLog(x) }
  static func log1p(_ x: Double) -> Double { cLog1p(x) }
  static func exp(_ x: Float) -> Float { cExp(x) }
  static func tanh(_ x: Float) -> Float { cTanh(x) }
}

extension Double {
  /// The number as Python's `repr` writes it: the shortest digits that give it back, an exponent below 1e-4
  /// and from 1e16 on.
  package var pythonRepr: String {
    guard isFinite else { return isNaN ? "nan" : self < 0 ? "-inf" : "inf" }
    let sign = self.sign == .minus ? "-" : ""
    if self == 0 { return sign + "0.0" }
    // Swift gives the same digits and chooses another layout.
    let parts = magnitude.description.split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let whole = String(mantissa[0])
    let fraction = mantissa.count > 1 ? String(mantissa[1]) : ""
    var pointAt = whole.count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
    var digits = Substring(whole + fraction)
    while digits.first == "0" {
      digits.removeFirst()
      pointAt -= 1
    }
    while digits.last == "0" { digits.removeLast() }
    if (-3...16).contains(pointAt) {
      let zeros = { (count: Int) in String(repeating: "0", count: Swift.max(0, count)) }
      if pointAt <= 0 { return sign + "0." + zeros(-pointAt) + digits }
      if digits.count <= pointAt { return sign + digits + zeros(pointAt - digits.count) + ".0" }
      return sign + digits.prefix(pointAt) + "." + digits.dropFirst(pointAt)
    }
    let exponent = pointAt - 1
    let shown = (exponent < 0 ? "-" : "+") + (Swift.abs(exponent) < 10 ? "0" : "") + String(Swift.abs(exponent))
    return sign + digits.prefix(1) + (digits.count > 1 ? "." + digits.dropFirst() : "") + "e" + shown
  }
}
