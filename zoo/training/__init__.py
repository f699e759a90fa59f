"""The loop: means on the device, manual optimization, finite steps, signals, averaging, ranks."""
