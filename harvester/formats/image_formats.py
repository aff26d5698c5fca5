"""Which files are images, told from their names alone."""

from __future__ import annotations

from functools import lru_cache

_SUFFIXES = {
    "OME-TIFF": "ome.tif ome.tiff ome.tf2 ome.tf8 ome.btf",
    "TIFF": "tif tiff tf2 tf8 btf gel",
    "OME-Zarr": "ome.zarr zarr ome.zarr.zip zarr.zip ozx",
    "N5": "n5 n5.zip",
    "HDF5": "h5 hdf5 he5 ilp",
    "Imaris": "ims",
    "Zeiss CZI": "czi",
    "Zeiss LSM": "lsm",
    "Zeiss ZVI": "zvi",
    "Nikon ND2": "nd2",
    "Leica LIF": "lif",
    "Leica LOF": "lof",
    "Leica SCN": "scn",
    "Leica XLEF": "xlef xlif",
    "Olympus OIB": "oib",
    "Olympus OIF": "oif",
    "Olympus OIR": "oir",
    "Olympus VSI": "vsi",
    "Olympus ETS": "ets",
    "Aperio SVS": "svs",
    "Hamamatsu NDPI": "ndpi",
    "Hamamatsu VMS": "vms vmu",
    "Hamamatsu DCIMG": "dcimg",
    "Hamamatsu HIS": "his",
    "3DHISTECH MIRAX": "mrxs",
    "3D Histech Slide": "msvs",
    "Ventana BIF": "bif",
    "Philips iSyntax": "isyntax",
    "PerkinElmer QPTIFF": "qptiff",
    "PerkinElmer Flex": "flex",
    "Volocity": "mvd2",
    "DeltaVision": "dv r3d d3d",
    "MRC": "mrc mrcs st ali map ccp4 rec",
    "EER": "eer",
    "Gatan DM": "dm2 dm3 dm4",
    "EMAN2 HDF": "hdf",
    "SPIDER": "spi spider",
    "FEI TIA": "ser emi emd",
    "TVIPS": "tvips",
    "MetaMorph STK": "stk",
    "MetaMorph ND": "nd",
    "3i SlideBook": "sld sldy sldyz",
    "Andor SIF": "sif",
    "Princeton SPE": "spe",
    "Bruker SPM": "spm",
    "Bio-Rad PIC": "pic",
    "InCell": "xdce",
    "CellWorx": "pnl",
    "Cellomics C01": "c01 dib",
    "Luxendo": "lux.h5",
    "KLB": "klb",
    "B3D": "b3d",
    "ICS": "ics",
    "NRRD": "nrrd nhdr",
    "NIfTI": "nii nii.gz",
    "Analyze": "img",
    "MetaImage": "mha mhd",
    "Amira": "am amiramesh",
    "DICOM": "dcm dicom",
    "FITS": "fits fit fts",
    "Gatan K2": "gtg",
    "Imaging mass cytometry": "mcd",
    "JPEG": "jpg jpeg jpe",
    "JPEG 2000": "jp2 j2k jpf jpx",
    "JPEG XR": "jxr wdp",
    "PNG": "png",
    "GIF": "gif",
    "BMP": "bmp",
    "WebP": "webp",
    "AVI": "avi",
    "MPEG-4": "mp4 m4v",
    "QuickTime": "mov",
    "Matroska": "mkv",
    "NumPy": "npy",
    "BDML/BD5": "bd5",
    "Lambert FLIM": "fli",
    "PicoQuant": "ptu pqres",
    "Becker-Hickl": "sdt",
    "JPK": "jpk",
    "Nanoscope": "nid",
    "WSI DZI": "dzi",
}
_FORMATS = {suffix: name for name, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
_WRAPPERS = ("gz", "bz2", "zip", "xz", "zst")


@lru_cache(maxsize=16_384)
def _of_name(name: str) -> str:
    parts = name.lower().split(".")
    if len(parts) < 2:
        return ""
    double = _FORMATS.get(".".join(parts[-3:])) or _FORMATS.get(".".join(parts[-2:]))
    if double or parts[-1] not in _WRAPPERS:
        return double or _FORMATS.get(parts[-1], "")
    return _FORMATS.get(parts[-2], "") if len(parts) > 2 else ""


def image_format(path: str) -> str:
    """Return the format that a file's name says it has, when that is one of images; else "".

    A single compressed file counts as what it holds. A folder's path may end in a slash.

    >>> image_format("a/plate.ome.tiff"), image_format("cells.czi"), image_format("table.csv")
    ('OME-TIFF', 'Zeiss CZI', '')
    >>> image_format("embryo.ome.zarr/"), image_format("brain.nii.gz"), image_format("all.zip")
    ('OME-Zarr', 'NIfTI', '')
    """
    name = path.rstrip("/").rpartition("/")[2]
    return _of_name(name[-100:])
