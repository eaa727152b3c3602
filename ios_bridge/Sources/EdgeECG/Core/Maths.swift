/// The C library's functions: through Foundation where there is one, by their names on bare metal.
#if hasFeature(Embedded)
  @_extern(c, "exp") private func cExp(_ x: Double) -> Double
  @_extern(c, "log") private func cLog(_ x: Double) -> Double
  @_extern(c, "log1p") private func cLog1p(_ x: Double) -> Double
  @_extern(c, "expf") private func cExp(_ x: Float) -> Float
  @_extern(c, "tanhf") private func cTanh(_ x: Float) -> Float

  enum Maths {
    static func exp(_ x: Double) -> Double { cExp(x) }
    static func log(_ x: Double) -> Double { cLog(x) }
    static func log1p(_ x: Double) -> Double { cLog1p(x) }
    static func exp(_ x: Float) -> Float { cExp(x) }
    static func tanh(_ x: Float) -> Float { cTanh(x) }
  }
#else
  import Foundation

  enum Maths {
    static func exp(_ x: Double) -> Double { Foundation.exp(x) }
    static func log(_ x: Double) -> Double { Foundation.log(x) }
    static func log1p(_ x: Double) -> Double { Foundation.log1p(x) }
    static func exp(_ x: Float) -> Float { Foundation.exp(x) }
    static func tanh(_ x: Float) -> Float { Foundation.tanh(x) }
  }
#endif
