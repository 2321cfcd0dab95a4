"""The paper's experiment at its own size: the archive, four networks, seven rows of Table 1.

    python main.py --config=configs/table1.py --workdir=runs/table1 --config.data.manual_dir=DIR

The other configs import this one and override a few fields.
"""

from ml_collections import ConfigDict

from wsns.segmentation.options import CHOICES


def get_config() -> ConfigDict:
    """Returns every field with its default."""
    config = ConfigDict()
    # What to do: 'records', 'train', 'segment' or 'table1', each with all that comes before it and is not done yet;
    # 'evaluate', table, figures and report again from what a run left; 'tune', the thresholds of 'segment'; 'grid',
    # rate, decay and batch; 'accounting' counts what the readers drew; 'weights' fetches or checks ImageNet's;
    # 'plan' says what a run will take, without training; 'pretrain' makes the embedded starts; 'compare', 'ablations',
    # 'transfer' and 'twin_check' have configs of their own.
    config.task = "table1"
    # Networks to train and compare, of 'gap1', 'gap2', 'gap3' and 'unet'; 'segment' needs gap1.
    config.models = ("gap1", "gap2", "gap3", "unet")
    # Random seed of training.
    config.seed = 0
    # For a run on the twin: folder of real LIDC scans on which its networks are tested at the end.
    config.real = ""

    config.data = data = ConfigDict()
    # Folder with the DICOM files of LIDC-IDRI, in any order and depth; or 'twin', the synthetic LIDC twin, which is
    # taken for an empty folder too where max_scans says how many scans.
    data.manual_dir = ""
    # Patients or series UIDs to leave out, separated by commas.
    data.exclude = ""
    # Every patient goes to the test split; nothing is trained on these scans.
    data.held_out = False
    # Number of scans, drawn at random among those with a nodule; 0 takes all.
    data.max_scans = 0
    # Slice thickness in mm, from and to; the whole archive lies between 0.6 and 5.
    data.thickness = (0.0, 10.0)
    # Eight patients have two scans: keep the last in order of series UID only.
    data.one_scan_per_patient = False
    # Random seed for the choice of scans and negative slices, and for the split.
    data.seed = 0
    # Side of the square crop, in pixels.
    data.crop = 384
    # Distance in mm of the slices below and above that each record also holds; 0: none.
    data.neighbours = 0.0
    # Number of readers whose masks must overlap for a nodule to count in a slice.
    data.agreement = 2
    # Also required: this fraction of the readers who marked the nodule, from 0 to 1.
    data.agreement_share = 0.0
    # Nodules that fewer readers marked don't count.
    data.min_readers = 1
    # A reader's line lies 'outside' the nodule, as LIDC defines it, and exclusion lines subtract; or 'inside',
    # as the authors' published reader has it: its pixels belong, and exclusion lines are left out.
    data.contour = "outside"
    # Whether an annotation that a reader drew in one slice only counts.
    data.single_contours = True
    # The reference outline: 'staple', 'majority', 'union' or 'intersection' of the readers.
    data.consensus = "staple"
    # Slices with more nodules are left out (and counted).
    data.max_nodules = 2
    # Worker processes that prepare scans; 0: one per core.
    data.workers = 0
    # Random seed of the twin.
    data.twin_seed = 0
    # Acquisition differences of the twin, drawn once per scan from these ranges; False: one kernel and dose for all.
    data.twin = twin = ConfigDict()
    twin.randomised = True
    # SD of the noise in HU (log-uniform), and its correlation between neighbouring pixels, at most 0.6.
    twin.noise = (4.0, 45.0)
    twin.grain = (0.0, 0.6)
    # SD of streaks along the rows in HU.
    twin.streaks = (0.0, 15.0)
    # Sharpness of the kernel: negative blurs, positive sharpens.
    twin.sharpness = (-0.2, 0.25)
    # Calibration errors: factor on HU + 1000, and HU offset.
    twin.scale = (0.92, 1.08)
    twin.offset = (-35.0, 35.0)

    config.model = model = ConfigDict()
    # Width multiplier of VGG16's filters.
    model.width = 1.0
    # Filters of each Conv+GAP head, before the width multiplier.
    model.head_filters = 1024
    # Global pooling: 'mean', 'sum' (Eq. 1) or 'lse' (log-mean-exp).
    model.pool = "mean"
    # Compute type: 'float32', or 'bfloat16', which is several times faster on a GPU or TPU; parameters stay float32.
    model.dtype = "float32"
    # Side of the networks' input, in pixels; divides data.crop.
    model.size = 384
    # Input channels: the 'same' slice three times, or the slice between its 'neighbours' at data.neighbours mm.
    model.channels = "same"
    # HU window mapped to 0…255.
    model.window = (-1000.0, 400.0)
    # Initial weights: 'imagenet', 'random', or at width 1/8 what comes with the package: 'shapes' (trunk, pretrained to
    # locate blobs in drawn patches) or 'patches' (trunk and heads, pretrained to locate procedural nodules in patches
    # of synthetic chests).
    model.start = "imagenet"
    # For 'imagenet': a file of VGG16's weights from Keras (.h5), torchvision (.pth) or timm (.safetensors), or a .npz
    # in Keras's names; each brings its own preprocessing. Empty: Keras's, fetched into weights/ at first use. For
    # 'shapes' and 'patches' another file of that kind.
    model.weights = ""
    # With ImageNet's weights each head's input is divided by the rms of its source on CT ('unit'), or by nothing
    # ('none': heads that stand on hundreds diverge at the rates below). Embedded and random starts need none.
    model.head_scale = "unit"

    config.train = train = ConfigDict()
    # Learning rates of the heads and the classifier, for 1-, 2- and 3-GAP.
    train.rates = (1e-2, 2e-3, 1e-3)
    # Learning rate of the pretrained trunk, relative to these; layers with random initial weights take the whole rate.
    train.trunk_factor = 0.1
    train.momentum = 0.9
    # Learning-rate decay per epoch.
    train.decay = 0.99
    train.batch = 30
    train.epochs = 30
    # Model selection over epochs: best validation 'accuracy', or highest 'hit' rate: how often the NAM's peak inside
    # the lungs lies within 5 mm of a validation slice's nodule (ties by accuracy). 'hit' needs outlines of the
    # validation split, which a lab with slice labels alone does not have.
    train.choose = "accuracy"
    # Random left-right mirroring.
    train.flip = False
    # Random shifts, in pixels of the crop at most.
    train.shift = 0

    config.unet = unet = ConfigDict()
    # Training slices: 'all', or those with a 'nodule' only, after which it marks something nearly everywhere.
    unet.slices = "all"
    # Soft Dice, smoothed by a pixel, of all pixels of the 'batch' taken together (which no fit.portions can work off),
    # or of each 'slice'. Validation quality of the demo's U-Net (twin) after one epoch: 0.37 and 0.31.
    unet.loss = "batch"
    # Encoder: the original's ('unet'), or VGG16's trunk ('vgg') with the weak networks' initial weights and width
    # (model.start, model.width).
    unet.encoder = "unet"
    # Width multiplier of the original's 64 to 1,024 filters; with the 'vgg' encoder, of the decoder's.
    unet.width = 1.0
    # Channels per group of GroupNorm; divides all numbers of filters.
    unet.group = 2
    # Initial bias of the logits: -3 is a probability of 5 % in each pixel.
    unet.bias = -3.0
    # Adam's learning rate, and that of a pretrained encoder relative to it.
    unet.rate = 2e-4
    unet.trunk_factor = 0.1
    # Learning-rate decay per epoch.
    unet.decay = 0.999
    unet.batch = 20
    # The epoch of best validation quality is kept: twice the slices' sum of Dice, by the number of slices with a nodule
    # plus that of slices in which something is marked.
    unet.epochs = 30
    unet.flip = False
    unet.shift = 0

    # How training uses the machine; none of it changes the result.
    config.fit = fit = ConfigDict()
    # Where the data set is held: 'device' memory, 'host' memory, or on disk and decoded in the background ('stream');
    # 'auto' takes the first with room.
    fit.input = "auto"
    # Micro-batches per step, for batches that don't fit the device's memory; the update is the same.
    fit.portions = 1
    # Minutes between checkpoints, besides the one after each epoch.
    fit.save_minutes = 5.0

    config.segment = segment = ConfigDict()
    # Slices with a 1-GAP probability of at least this are segmented.
    segment.detect = 0.5
    # Classifier weights of a NAM: nodule class minus the other ('difference'), or the nodule class alone ('nodule').
    segment.contrast = "difference"
    # Standard deviation in pixels of the Gaussian that smooths a NAM.
    segment.sigma = 4.0
    # Threshold of the scope, as a fraction of the NAM's maximum in the lungs.
    segment.tau = 0.5
    # A peak of the multi-GAP NAM inside C1 counts from this fraction of the map's maximum in the slice.
    segment.reach = 0.5
    # Mean HU of the phases, ascending; whether each sweep re-estimates them; weight of the boundary term.
    segment.means = (-900.0, -700.0, -600.0, -200.0)
    segment.reestimate = False
    segment.beta = 0.3
    # Sweeps of the ICM, at most. On 74 slices of four real scans it takes 15 on average, 29 at most, until nothing
    # changes; that lowers the energy of 8 sweeps by 0.12 % and moves 0.06 % of the labels (benchmarks/phases.py).
    segment.sweeps = 8
    # Candidates are pieces of the 'phases', or of thresholds of the HU ('full': more, with openings of its own).
    segment.candidates = "phases"
    # Radius in mm of the closing of the lungs; parts of a lung below so many mm² are dropped.
    segment.hull_closing = 10.0
    segment.hull_part = 100.0
    # Radii in pixels of the openings that detach candidates from vessels.
    segment.openings = (1.5, 3.0)
    # Minimum area of a candidate in mm², and maximum number per scope (the largest are kept).
    segment.min_area = 4.0
    segment.max_candidates = 32
    # Fill of a masked candidate: median of the surrounding 'parenchyma', 'floor' of the window, or 'mean' of the slice.
    segment.fill = "parenchyma"
    # Forward passes of masked copies: 'incremental' (only what each can change), or 'full' (the reference).
    segment.screening = "incremental"
    # Which of the nested outlines of the object that Eq. 4 selects: steepest 'edge' times agreement with the others,
    # most 'compact', or the candidate of Eq. 4 itself ('eq4').
    segment.outline = "edge"
    # Batch size of slices, and of masked copies (0: what suits the device).
    segment.batch = 8
    segment.copies = 0

    # Whole test scans for FROC and figures at the natural prevalence, at most so many; 0: none. Slices with a 1-GAP
    # probability of at least `detect` are segmented, so that FROC has marks below `segment.detect` too.
    config.scans = scans = ConfigDict()
    scans.most = 1000
    scans.detect = 0.1
    # Score of a mark: 'probability' of its slice, 'change' of the 1-GAP map without it (times that probability), maxima
    # of the 'maps' in it, or HU gradient along its 'edge' (times the finest map).
    scans.score = "probability"
    # Smallest mark: mm, of the diameter of a ball of its volume.
    scans.smallest = 0.0

    # The task 'tune': for each field of 'segment', values to try besides its own.
    config.tune = tune = ConfigDict()
    tune.fields = fields = ConfigDict()
    fields.sigma = (2.0, 4.0, 6.0)
    fields.tau = (0.3, 0.4, 0.5, 0.6, 0.7)
    fields.reach = (0.3, 0.5, 0.7)
    fields.beta = (0.1, 0.3, 1.0)
    fields.openings = ((1.5,), (1.5, 3.0), (3.0,))
    fields.reestimate = (False, True)
    fields.fill = CHOICES["fill"]
    fields.outline = CHOICES["outline"]
    # Gain in mean Dice above which a value replaces the current one.
    tune.least = 0.005

    # Trials on real scans, by `real` above or by the task 'transfer' (configs/transfer.py): so many readers make a
    # nodule count there, and the seeds of the task's trainings.
    config.transfer = transfer = ConfigDict()
    transfer.agreement = 2
    transfer.seeds = (0, 1, 2)

    # The task 'plan': besides this machine, one whose matrix product runs at so many TFLOP/s (0: none), of which the
    # networks reach this share, an assumption; and the GiB of its device's memory (0: this device's).
    config.plan = plan = ConfigDict()
    plan.rate = 0.0
    plan.share = 0.4
    plan.memory = 0.0

    config.evaluate = evaluate = ConfigDict()
    # Bootstrap resamples of patients, and their random seed.
    evaluate.draws = 2000
    evaluate.seed = 0
    return config
