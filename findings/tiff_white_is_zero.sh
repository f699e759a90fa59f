#!/usr/bin/env bash
# Pillow inverts grey TIFFs in which 0 is white where they have 8 bits, and not where they have 16.
#
# pillow 13.0.0, tifffile 2025.10.16, numpy 2.3.4, Python 3.11, Linux; seen on 30 November 2026.
# Scanners and microscopes write PhotometricInterpretation 0 (WhiteIsZero). The same two shades,
# white and nearly black, written by tifffile and opened by Pillow as shares of the largest value:
#
#     8 bits:  L     white 1.00, dark 0.02
#     16 bits: I;16  white 0.00, dark 0.98
#
# The zoo looks at the tag itself (datamodules/pictures/reading.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 tifffile==2025.10.16 numpy==2.3.4
cat >"$folder/run.py" <<'END'
import numpy as np
import tifffile
from PIL import Image

for bits in (8, 16):
    most = 2**bits - 1
    stored = np.array([[0, round(0.98 * most)]] * 2, dtype=f"uint{bits}")  # white, dark
    tifffile.imwrite("a.tif", stored, photometric="miniswhite")
    with Image.open("a.tif") as image:
        white, dark = np.asarray(image)[0] / most
        print(f"{f'{bits} bits:':<8} {image.mode:<5} white {white:.2f}, dark {dark:.2f}")
END
cd "$folder"
seen=$("$folder/venv/bin/python" run.py)
echo "$seen"
[ "$seen" = "8 bits:  L     white 1.00, dark 0.02
16 bits: I;16  white 0.00, dark 0.98" ]
