// Just enough of Apple's UniformTypeIdentifiers to type-check Examples/WatchDemo without a Mac; nothing here runs.
public struct UTType: Sendable { public static let item = UTType() }
