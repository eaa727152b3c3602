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
