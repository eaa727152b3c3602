@_exported import EdgeECG
