"""What every run needs: sums kept on the device, durable checkpoints, pictures, run folders."""
