// An app imports `EdgeECG` alone. What needs no Foundation is a module of its own, which firmware and web pages build too.
@_exported import EdgeECGCore
