"""How much of anything the program takes from a user, in one place. Bounds of settings stand on their fields.

Readers compare a file with these before they allocate what it declares.
"""

from __future__ import annotations

# Run folders

MAX_MANIFEST_BYTES = 4 * 2**20
"""A ``manifest.json``: 20,000 changes take half of it."""

MAX_TENSOR_FILE_BYTES = 4 * 2**30
"""A file of optimizer and generator states; weights may only be as large as the settings' networks."""

MAX_METRICS_FILE_BYTES = 16 * 2**20
"""A file of metrics, of which the program itself writes less than 1 MiB."""

MAX_TENSOR_HEADER_BYTES = 2**20
"""Names and shapes before a safetensors file's numbers: far beyond any model's, and quick to parse."""

MAX_CHANGES = 20_000
"""Changes of settings in a run's timeline."""

MAX_CLASSES = 10_000
"""Names of classes in a run's description of its data."""

MAX_DESCRIBED_SIDE = 4096
"""Height or width of the images in that description, pixels."""

MAX_LOG_BYTES = 256 * 2**10
"""A run's log; the older half of its lines goes when it grows beyond."""

MAX_LISTED_FOLDERS = 20_000
"""Folders looked at when runs are listed, those with the latest names first."""

MAX_LISTED_RUNS = 50
"""Runs listed, the newest ones: each costs the reading of a manifest."""

# Data

MIN_IMAGE_SIDE = 8
MAX_IMAGE_SIDE = 256
"""Height or width that images are brought to, pixels."""

MAX_STORED_SIDE = 4096
"""Height or width of an image in an array or idx file, before it is brought to its size, pixels."""

MAX_PICTURE_PIXELS = 64 * 2**20
"""A picture in a file of its own, decoded: 8192x8192."""

MAX_LISTED = 3_000_000
"""Files and folders below a folder of pictures."""

MAX_PAGES = 100_000
"""Pages of one TIFF file."""

MAX_DECODED_BYTES = 16 * 2**30
"""All images of a data set, a byte a value: they stream from a file in the cache folder."""

MAX_IN_MEMORY_BYTES = 2**28
"""Images from an array or idx file that are held in memory; more than that stream from the cache folder."""

MAX_IMAGE_CACHE_BYTES = 24 * 2**30
"""Decoded images in the cache folder; those used longest ago go first."""

MAX_PACKED_ARRAY_BYTES = 2**28
"""What a packed array of any size may unpack to …"""

MAX_PACKED_ARRAY_RATIO = 100
"""… and how many times its own size beyond that."""

MAX_ARRAYS = 10_000
"""Arrays in an .npz file."""

MAX_LABELS_FILE_BYTES = 2**28
"""A ``labels.csv``, or an array of labels."""

MAX_COLUMNS = 32
"""Columns of a ``labels.csv`` besides file and label; those that come later are left out."""

MAX_COLUMN_WORDS = 1_000
"""Different words in such a column; with more it is left out."""

MAX_IDX_BYTES = 2**30
"""Values in one idx file, unpacked: 1.3 million images of 28x28."""

MAX_IDX_COUNT = 7_000_000
"""Images or labels in one idx file. However small labels were packed, each takes nine bytes as it is read: 60 MiB."""

MAX_PACKED_IDX_BYTES = 60 * 10**6
"""What a gzipped idx file of any size may unpack to …"""

MAX_PACKED_IDX_RATIO = 100
"""… and how many times its own size beyond that: images pack 5 to 50 to 1, bombs 1000 to 1."""

MAX_DOWNLOAD_BYTES = 2**30
"""A file being fetched; the largest of those known has 562 MB."""

MAX_ARCHIVE_MEMBERS = 10_000
"""Files in an archive that are looked at."""

MAX_MEMBER_BYTES = 2**28
"""A file in an archive, unpacked; the largest of those known has 160 MB."""

MAX_USPS_BYTES = 2**26
"""A file of USPS, unpacked: 26 MB it has."""

MAX_USPS_COUNT = 100_000
"""Images in a file of USPS, which has 7,291."""

MAX_USPS_LINE_BYTES = 16_384
"""A line of such a file: 256 values of 20 characters at most take a third of it."""

# The window

MAX_SETTINGS_BYTES = 2**20
"""The window's settings.ini, of which the program itself writes a few thousand bytes."""

# The command line

MAX_COUNT_ARGUMENT = 100_000
"""A number of epochs, images or seconds on the command line that is no setting."""
